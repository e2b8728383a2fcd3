// Imports CJansson, and lets no C type out.
internal import CJansson

/// Reads one JSON text strictly, with Jansson.
///
/// Exactly one value (a scalar too), white space around it and nothing else; strict UTF-8 over the whole text, no byte
/// order mark; a name twice in an object, however escaped, is refused; so are lone surrogates and NUL, also as
/// `\u0000`. Numbers are kept as written and may have any length. Source: RFC 8259, and Jansson's documentation for
/// what it refuses. Any thread may call this at any time.
package enum JSONReader {
    /// Reads the value that `bytes` holds.
    package static func parse(_ bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) -> JSONValue {
        // Typed errors do not pass through the standard library's rethrowing functions, so a result does.
        try bytes.withUnsafeBytes { read($0, limits) }.get()
    }

    /// Reads the value that `bytes` holds; the memory is not kept.
    package static func parse(
        _ bytes: UnsafeRawBufferPointer, limits: JSONLimits = .default
    ) throws(JSONError) -> JSONValue {
        try read(bytes, limits).get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, _ limits: JSONLimits) -> Result<JSONValue, JSONError> {
        guard bytes.count <= limits.maximumBytes else {
            return .failure(JSONError(kind: .tooLarge, line: 0, column: 0, position: limits.maximumBytes))
        }
        guard !bytes.isEmpty else { return .failure(JSONError(kind: .empty, line: 1, column: 1, position: 0)) }
        var scan = NumberScan(bytes, maximumDepth: limits.maximumDepth)
        if let error = scan.run() { return .failure(error) }

        var fault = json_error_t()
        let flags = Int(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)
        let root = scan.text.withUnsafeBytes {
            json_loadb($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, flags, &fault)
        }
        guard let root else { return .failure(JSONError(&fault, scan)) }
        defer { json_decref(root) }
        var numbers = scan.numbers.makeIterator()
        guard let value = convert(root, bytes, &numbers) else {
            return .failure(JSONError(kind: .invalidUTF8, line: 0, column: 0, position: 0))
        }
        return .success(value)
    }

    /// The tree as values. Jansson keeps members in the order of the text, so the numbers come in the order in which
    /// the scan met them. nil only if a text that Jansson took for UTF-8 is none.
    private static func convert(
        _ node: UnsafeMutablePointer<json_t>, _ bytes: UnsafeRawBufferPointer,
        _ numbers: inout IndexingIterator<[Range<Int>]>
    ) -> JSONValue? {
        switch node.pointee.type {
        case JSON_NULL: return .null
        case JSON_TRUE: return .bool(true)
        case JSON_FALSE: return .bool(false)
        case JSON_STRING:
            return text(json_string_value(node), json_string_length(node)).map { .string($0) }
        case JSON_ARRAY:
            let count = json_array_size(node)
            var elements: [JSONValue] = []
            elements.reserveCapacity(count)
            for index in 0..<count {
                guard let element = json_array_get(node, index), let value = convert(element, bytes, &numbers) else {
                    return nil
                }
                elements.append(value)
            }
            return .array(elements)
        case JSON_OBJECT:
            var members: [JSONMember] = []
            members.reserveCapacity(json_object_size(node))
            var iterator = json_object_iter(node)
            while let current = iterator {
                guard let member = json_object_iter_value(current),
                    let name = text(json_object_iter_key(current), json_object_iter_key_len(current)),
                    let value = convert(member, bytes, &numbers)
                else { return nil }
                members.append(JSONMember(name, value))
                iterator = json_object_iter_next(node, current)
            }
            return .object(members)
        default:
            guard let range = numbers.next() else { return nil }
            return .number(String(decoding: bytes[range], as: UTF8.self))
        }
    }

    private static func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String? {
        guard let start else { return nil }
        return start.withMemoryRebound(to: UInt8.self, capacity: count) {
            String(validating: UnsafeBufferPointer(start: $0, count: count), as: UTF8.self)
        }
    }
}

extension JSONError {
    /// From Jansson's error, whose own text may quote the input and is therefore not used.
    fileprivate init(_ fault: inout json_error_t, _ scan: borrowing NumberScan) {
        let kind: Kind =
            switch json_error_code(&fault) {
            case json_error_invalid_utf8: .invalidUTF8
            case json_error_premature_end_of_input: scan.isBlank ? .empty : .unexpectedEnd
            case json_error_end_of_input_expected: .trailingText
            case json_error_duplicate_key: .duplicateName
            case json_error_null_byte_in_key, json_error_null_character, json_error_null_value: .nulCharacter
            case json_error_out_of_memory: .outOfMemory
            case json_error_stack_overflow: .tooDeep
            default: .invalidSyntax
            }
        self.init(
            kind: kind, line: max(Int(fault.line), 1), column: max(Int(fault.column), 0),
            position: max(Int(fault.position), 0))
    }
}
