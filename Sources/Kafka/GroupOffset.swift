/// An offset of a group, with the text that was committed beside it; "" where there was none.
package struct GroupOffset: Sendable, Hashable {
    package var offset: Int64
    package var metadata: String

    package init(_ offset: Int64, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}
