// Imports CYAML, and lets no C type out.
internal import CYAML

/// What libyaml's parser reports, as a value: the begin and end of streams and documents are left out.
struct YAMLEvent: Sendable {
    enum Kind: Sendable, Equatable {
        case alias(String)
        case scalar(String, isPlain: Bool)
        case sequenceStart
        case mappingStart
        /// Of a sequence or a mapping.
        case end
    }

    var kind: Kind
    var anchor: String?
    var tag: String?
    var line: Int
    var column: Int

    /// All events of a text, at most `maximum`.
    static func all(of bytes: [UInt8], maximum: Int) throws(YAMLFault) -> [YAMLEvent] {
        try bytes.withUnsafeBufferPointer { parse($0, maximum) }.get()
    }

    private static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, _ maximum: Int
    ) -> Result<[YAMLEvent], YAMLFault> {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else {
            return .failure(YAMLFault(message: "there was no memory to read the file", line: 1, column: 1))
        }
        defer { yaml_parser_delete(&parser) }
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
        // The parser keeps the pointer: an empty text gets one that points somewhere.
        var nothing: UInt8 = 0
        return withUnsafePointer(to: &nothing) { nothing in
            yaml_parser_set_input_string(&parser, bytes.baseAddress ?? nothing, bytes.count)
            var events: [YAMLEvent] = []
            while true {
                var event = yaml_event_t()
                guard yaml_parser_parse(&parser, &event) == 1 else { return .failure(fault(parser)) }
                defer { yaml_event_delete(&event) }
                if event.type == YAML_STREAM_END_EVENT { return .success(events) }
                guard let value = YAMLEvent(event) else { continue }
                if events.count == maximum {
                    return .failure(
                        YAMLFault(message: "the file holds too many values", line: value.line, column: value.column))
                }
                events.append(value)
            }
        }
    }

    private init?(_ event: yaml_event_t) {
        line = Int(event.start_mark.line) + 1
        column = Int(event.start_mark.column) + 1
        switch event.type {
        case YAML_ALIAS_EVENT:
            kind = .alias(Self.text(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            kind = .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            anchor = Self.text(scalar.anchor)
            tag = Self.text(scalar.tag)
        case YAML_SEQUENCE_START_EVENT:
            kind = .sequenceStart
            anchor = Self.text(event.data.sequence_start.anchor)
            tag = Self.text(event.data.sequence_start.tag)
        case YAML_MAPPING_START_EVENT:
            kind = .mappingStart
            anchor = Self.text(event.data.mapping_start.anchor)
            tag = Self.text(event.data.mapping_start.tag)
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            kind = .end
        default:
            return nil
        }
    }

    /// libyaml's texts of syntax errors hold no part of the file.
    private static func fault(_ parser: yaml_parser_t) -> YAMLFault {
        let problem = parser.problem.map { String(cString: $0) } ?? "the file cannot be read"
        let context = parser.context.map { " " + String(cString: $0) } ?? ""
        guard parser.error != YAML_READER_ERROR else {
            return YAMLFault(
                message: "not valid UTF-8 text at byte \(parser.problem_offset): \(problem)",
                line: Int(parser.mark.line) + 1,
                column: Int(parser.mark.column) + 1)
        }
        return YAMLFault(
            message: "not valid YAML\(context): \(problem)", line: Int(parser.problem_mark.line) + 1,
            column: Int(parser.problem_mark.column) + 1)
    }

    private static func text(_ start: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        start.map { String(cString: $0) }
    }
}
