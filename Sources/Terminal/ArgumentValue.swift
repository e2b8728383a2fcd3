/// A value of the command line, read.
package enum ArgumentValue: Hashable, Sendable {
    case flag
    case text(String)
    case integer(Int)
    case milliseconds(Int64)
    case bytes(Int)

    /// The value in a text, or nil where the text is not of the kind.
    static func read(_ text: String, as kind: ArgumentKind) -> ArgumentValue? {
        switch kind {
        case .flag: nil
        case .text: .text(text)
        case .integer(let range): plainInteger(text).flatMap { range.contains($0) ? .integer($0) : nil }
        case .duration: milliseconds(text).map { .milliseconds($0) }
        case .size: bytes(text).map { .bytes($0) }
        case .choice(let values): values.contains(text) ? .text(text) : nil
        }
    }

    /// What would have been right, for an error text.
    static func expectation(of kind: ArgumentKind) -> String {
        switch kind {
        case .flag: "no value"
        case .text: "a text"
        case .integer(let range):
            switch (range.lowerBound, range.upperBound) {
            case (_, .max): "a whole number of at least \(range.lowerBound)"
            default: "a whole number from \(range.lowerBound) to \(range.upperBound)"
            }
        case .duration: "a time with its unit, such as 500ms, 30s, 5m or 1h30m"
        case .size: "a size such as 512B, 64KiB or 10MB"
        case .choice(let values): values.joined(separator: ", ")
        }
    }

    /// Decimal digits with an optional minus, nothing else: `Int` would also take a plus.
    private static func plainInteger(_ text: String) -> Int? {
        text.utf8.first == UInt8(ascii: "+") ? nil : Int(text)
    }

    private static func milliseconds(_ text: String) -> Int64? {
        // Each unit at most once, the largest first.
        let units: [(String, Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
        ]
        var rest = Substring(text)
        var next = 0
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let number = Int64(digits), let unit = units[next...].firstIndex(where: { $0.0 == name }) else {
                return nil
            }
            next = unit + 1
            let (product, tooLarge) = number.multipliedReportingOverflow(by: units[unit].1)
            let (sum, tooLargeSum) = total.addingReportingOverflow(product)
            guard !tooLarge, !tooLargeSum else { return nil }
            total = sum
        }
        return total
    }

    private static func bytes(_ text: String) -> Int? {
        let units = [
            "": 1, "B": 1, "kB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "KiB": 1024, "MiB": 1_048_576,
            "GiB": 1_073_741_824,
        ]
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), let unit = units[String(text.dropFirst(digits.count))] else { return nil }
        let (product, tooLarge) = number.multipliedReportingOverflow(by: unit)
        return tooLarge ? nil : product
    }
}

/// A command line that was understood. Asking for a name that the command does not declare, or as another kind, traps.
package struct ParsedCommand: Equatable, Sendable {
    /// The command's names below the program's, such as `["dead-letters", "list"]`.
    package let path: [String]
    let options: [String: [ArgumentValue]]
    let positionals: [String: [ArgumentValue]]
    let kinds: [String: ArgumentKind]

    /// Whether a flag was given.
    package func flag(_ name: String) -> Bool {
        check(name) { $0 == .flag }
        return options[name] != nil
    }

    /// The texts of an option or a positional, in their order.
    package func texts(_ name: String) -> [String] {
        check(name) { if case .choice = $0 { true } else { $0 == .text } }
        return values(name).map { if case .text(let text) = $0 { text } else { preconditionFailure(name) } }
    }

    package func text(_ name: String) -> String? { texts(name).last }

    package func integer(_ name: String) -> Int? {
        check(name) { if case .integer = $0 { true } else { false } }
        return values(name).last.map { if case .integer(let number) = $0 { number } else { preconditionFailure(name) } }
    }

    package func duration(_ name: String) -> Duration? {
        check(name) { $0 == .duration }
        return values(name).last.map {
            if case .milliseconds(let time) = $0 { .milliseconds(time) } else { preconditionFailure(name) }
        }
    }

    /// Bytes.
    package func size(_ name: String) -> Int? {
        check(name) { $0 == .size }
        return values(name).last.map { if case .bytes(let size) = $0 { size } else { preconditionFailure(name) } }
    }

    private func values(_ name: String) -> [ArgumentValue] { options[name] ?? positionals[name] ?? [] }

    private func check(_ name: String, _ fits: (ArgumentKind) -> Bool) {
        guard let kind = kinds[name] else { preconditionFailure("the command declares no \(name)") }
        precondition(fits(kind), "\(name) is declared as another kind")
    }
}
