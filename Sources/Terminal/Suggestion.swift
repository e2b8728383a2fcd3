/// What somebody who mistyped a name may have meant.
package enum Suggestion {
    /// The nearest name: at most a third of the letters wrong, or else one that begins with what was typed.
    package static func nearest(to word: String, among names: [String]) -> String? {
        // Long input is no typing error, and the distance takes quadratic time.
        guard !word.isEmpty, word.utf8.count <= 64 else { return nil }
        let measured = names.map { ($0, distance(word.lowercased(), $0.lowercased())) }
        if let (name, distance) = measured.min(by: { $0.1 < $1.1 }), distance <= max(1, word.count / 3) { return name }
        return names.first { $0.hasPrefix(word) }
    }

    /// ` Did you mean 'name'?`, or nothing.
    package static func text(for word: String, among names: [String], prefix: String = "") -> String {
        nearest(to: word, among: names).map { " Did you mean '\(prefix)\($0)'?" } ?? ""
    }

    /// How many letters must be added, removed, changed, or swapped with their neighbour.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var next = [row + 1]
            for column in right.indices {
                let same = left[row] == right[column]
                var best = min(last[column + 1] + 1, next[column] + 1, last[column] + (same ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                next.append(best)
            }
            beforeLast = last
            last = next
        }
        return last[right.count]
    }
}
