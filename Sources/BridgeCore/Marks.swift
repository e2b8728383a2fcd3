package import Records

// Records that are no event and no result. Whoever reads passes over them.

extension Header {
    /// The only header of a mark in the intake topic, and of one anywhere else.
    static let intakeMark = IntakeOrigin.prefix + "mark"
    static let mark = "campaign-bridge-mark"
}

extension Record {
    /// Whether it is only a mark.
    package var isMark: Bool {
        value == nil && headers.count == 1
            && [Header.intakeMark, Header.mark].contains { headers[0].name.elementsEqual($0.utf8) }
    }
}

extension OutgoingRecord {
    /// A mark.
    ///
    /// - Parameter isIntake: whether it is for the intake topic.
    package static func mark(
        _ topic: String, partition: Int32, by producer: String, isIntake: Bool = false
    ) -> OutgoingRecord {
        OutgoingRecord(
            topic: topic, partition: partition, key: nil, value: nil,
            headers: [Header(isIntake ? Header.intakeMark : Header.mark, producer)])
    }
}
