internal import JSON

/// The body of an answer, read with patience: what an answer says must not be lost because of a byte order mark, a
/// foreign charset in a text, or a field of another type (field cases, 9).
struct AnswerBody {
    /// nil where the body is no JSON object.
    let json: JSONValue?
    let isHTML: Bool
    /// The body as text where it is no JSON; bounded.
    let text: String

    init(_ bytes: [UInt8], contentType: String?) {
        let utf8 = AnswerBody.asUTF8(bytes)
        let value = AnswerBody.parse(utf8)
        json = value?.object == nil ? nil : value
        let first = utf8.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
        let type = contentType.map { $0.lowercased().prefix { $0 != ";" } } ?? ""
        isHTML = json == nil && (first == UInt8(ascii: "<") || type.hasPrefix("text/html"))
        text = json == nil ? String(decoding: utf8.prefix(4096), as: UTF8.self) : ""
    }

    /// The first member of these names that holds a text, a number or a truth value, as text; empty ones do not count.
    func text(_ names: String...) -> String? {
        for name in names {
            if let text = json?[name].flatMap(plainText) { return text }
        }
        return nil
    }

    /// The member as an integer, also where it is written as a text or with a fraction of zeros.
    func integer(_ name: String) -> Int64? {
        guard let text = text(name) else { return nil }
        return Int64(text) ?? Double(text).flatMap { Int64(exactly: $0) }
    }

    /// The errors that the body lists, in the API's documented shape `{"errors":[{"msg":...,"code":...}]}` or one like it.
    var apiErrors: [(message: String, code: String?)] {
        (json?["errors"]?.array ?? []).compactMap { entry in
            let message = (entry["msg"] ?? entry["message"]).flatMap(plainText)
            let code = entry["code"].flatMap(plainText)
            if message == nil && code == nil { return plainText(entry).map { ($0, nil) } }
            return (message ?? "", code)
        }
    }

    /// Whether the body is the API's own error, exactly as documented. Gateways have similar ones, without `msg` or with
    /// other members, and may have passed the request on. What was read loosely has no lists.
    var hasOwnError: Bool {
        guard let errors = json?["errors"]?.array, !errors.isEmpty else { return false }
        return errors.allSatisfy { entry in
            guard case .string(let text)? = entry["msg"], case .number? = entry["code"] else { return false }
            return !text.isEmpty
        }
    }

    /// Whether the body says that the call failed.
    var saysFailure: Bool {
        if let errors = json?["errors"], !(errors.array?.isEmpty ?? errors.isNull) { return true }
        if let error = json?["error"], !error.isNull, error.bool != false { return true }
        return json?["success"]?.bool == false || hasFailedStatus
    }

    /// Whether the field that names a started campaign's status says that the call failed.
    var hasFailedStatus: Bool { ["failure", "failed", "error"].contains(text("status")?.lowercased() ?? "") }

    /// Whether an error in the body has a code that as a status would tell nothing of what was done (408, 5xx).
    ///
    /// - Parameter known: a code that may stand there all the same.
    func hasServerErrorCode(besides known: Double? = nil) -> Bool {
        let nested = json?["error"]?["code"].flatMap(plainText)
        let codes = apiErrors.compactMap(\.code) + [nested, text("code"), text("statusCode")].compactMap { $0 }
        return codes.contains { code in
            guard let number = Double(code), number != known else { return false }
            return number == 408 || (500..<600).contains(number)
        }
    }

    /// What the body says of an error, uncleaned; "" where it says nothing.
    var errorMessage: String {
        let errors = apiErrors.map(\.message).filter { !$0.isEmpty }
        if !errors.isEmpty { return errors.prefix(5).joined(separator: "; ") }
        if let nested = json?["error"], nested.object != nil {
            if let text = (nested["message"] ?? nested["msg"]).flatMap(plainText) { return text }
        }
        return text("message", "msg", "error", "reason", "error_description") ?? (isHTML ? "" : text)
    }

    private func plainText(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text.isEmpty ? nil : text
        case .number(let text): text
        case .bool(let value): value ? "true" : "false"
        default: nil
        }
    }

    private static func parse(_ bytes: [UInt8]) -> JSONValue? {
        let limits = JSONLimits(maximumBytes: max(1, bytes.count), maximumDepth: 512)
        do {
            return try JSONReader.parse(bytes, limits: limits)
        } catch {
            // Not JSON as it stands: a loose reading of the outermost object is what is left.
            return LooseObject.read(bytes)
        }
    }

    /// Without a byte order mark; UTF-16 only where its mark says so.
    private static func asUTF8(_ bytes: [UInt8]) -> [UInt8] {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return Array(bytes.dropFirst(3)) }
        let isBig = bytes.starts(with: [0xFE, 0xFF])
        guard isBig || bytes.starts(with: [0xFF, 0xFE]), bytes.count % 2 == 0 else { return bytes }
        let units = stride(from: 2, to: bytes.count, by: 2).map { index in
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            return isBig ? first << 8 | second : second << 8 | first
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }
}
