internal import JSON

/// Reads the members of one JSON object with checks; every fault is an error that names the member.
struct JSONFields {
    private let members: [JSONMember]
    private let place: String
    private var known: Set<String> = []

    init(_ value: JSONValue, at place: String) throws(SimulatorError) {
        guard let members = value.object else { throw SimulatorError("\(place) must be a JSON object") }
        self.members = members
        self.place = place
    }

    /// Refuses members that nothing has asked for. Call it last.
    func finish() throws(SimulatorError) {
        for member in members where !known.contains(member.name) {
            throw SimulatorError(
                "\(place) has an unknown member \"\(member.name)\"; known are: \(known.sorted().joined(separator: ", "))"
            )
        }
    }

    /// The value, or nil where it is missing or null.
    mutating func value(_ name: String) -> JSONValue? {
        known.insert(name)
        guard let value = members.first(where: { $0.name == name })?.value, !value.isNull else { return nil }
        return value
    }

    func path(_ name: String) -> String { "\(place).\(name)" }

    private func wrong(_ name: String, _ wanted: String) -> SimulatorError {
        SimulatorError("\(path(name)) must be \(wanted)")
    }

    mutating func string(_ name: String) throws(SimulatorError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.string else { throw wrong(name, "a string") }
        return text
    }

    mutating func bool(_ name: String) throws(SimulatorError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.bool else { throw wrong(name, "true or false") }
        return flag
    }

    mutating func int(_ name: String, _ range: ClosedRange<Int>) throws(SimulatorError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let number = value.int64, let int = Int(exactly: number), range.contains(int) else {
            throw wrong(name, "an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return int
    }

    mutating func number(_ name: String, _ range: ClosedRange<Double>) throws(SimulatorError) -> Double? {
        guard let value = value(name) else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw wrong(name, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A duration given as a number of milliseconds.
    mutating func milliseconds(_ name: String) throws(SimulatorError) -> Duration? {
        try number(name, 0...1e10).map { .microseconds(Int64($0 * 1000)) }
    }

    /// A duration given as a number of seconds; negative ones too.
    mutating func seconds(_ name: String) throws(SimulatorError) -> Duration? {
        try number(name, -1e9...1e9).map { .milliseconds(Int64($0 * 1000)) }
    }

    mutating func strings(_ name: String) throws(SimulatorError) -> [String]? {
        guard let value = value(name) else { return nil }
        guard let elements = value.array, elements.allSatisfy({ $0.string != nil }) else {
            throw wrong(name, "a list of strings")
        }
        return elements.compactMap(\.string)
    }

    mutating func list<T>(
        _ name: String, _ read: (JSONValue, String) throws(SimulatorError) -> T
    ) throws(SimulatorError) -> [T]? {
        guard let value = value(name) else { return nil }
        guard let elements = value.array else { throw wrong(name, "a list") }
        var out: [T] = []
        for (index, element) in elements.enumerated() { out.append(try read(element, "\(path(name))[\(index)]")) }
        return out
    }
}

/// Reads a JSON text for settings or faults.
func parseSettings(_ bytes: [UInt8]) throws(SimulatorError) -> JSONValue {
    do throws(JSONError) {
        return try JSONReader.parse(bytes, limits: JSONLimits(maximumBytes: 16 << 20, maximumDepth: 16))
    } catch {
        throw SimulatorError("this is no JSON: \(error)")
    }
}
