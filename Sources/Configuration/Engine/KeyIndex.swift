// Imports nothing.

/// What a place in the file may be: the shapes of the keys below one root, and the mappings that hold them.
struct KeyIndex: Sendable {
    enum Place: Sendable {
        case scalar
        case list
        case map
        case section
    }

    private var places: [String: Place] = [:]

    /// - Parameter sections: further sections, whose keys are of another root.
    init<Root>(_ keys: [Key<Root>], sections: [String] = []) {
        for section in sections { places[section] = .section }
        for key in keys {
            switch key.shape {
            case .scalar: places[key.path] = .scalar
            case .list: places[key.path] = .list
            case .map: places[key.path] = .map
            }
            if key.isSecret { places[key.path + "File"] = .scalar }
            var parts = key.path.split(separator: ".").dropLast()
            while !parts.isEmpty {
                places[parts.joined(separator: ".")] = .section
                parts = parts.dropLast()
            }
        }
    }

    subscript(path: String) -> Place? { places[path] }

    /// Paths of keys and sections.
    var paths: [String] { places.keys.sorted() }

    /// Names that may stand directly in a section ("" is the root).
    func names(in section: String) -> [String] {
        let prefix = section.isEmpty ? "" : section + "."
        return places.keys.compactMap { path in
            guard path.hasPrefix(prefix) else { return nil }
            let rest = path.dropFirst(prefix.count)
            return rest.isEmpty || rest.contains(".") ? nil : String(rest)
        }.sorted()
    }

    /// The key that was probably meant by an unknown one: a name of the same section that is written nearly alike, else
    /// a key of the same name in another section.
    func suggestion(for name: String, in section: String) -> String? {
        let prefix = section.isEmpty ? "" : section + "."
        if let near = nearest(to: name, among: names(in: section)) { return prefix + near }
        let elsewhere = paths.filter {
            $0.split(separator: ".").last.map(String.init)?.lowercased() == name.lowercased()
        }
        return elsewhere.count == 1 ? elsewhere[0] : nil
    }
}

/// The candidate with the smallest edit distance, if that is at most a third of the length; nil otherwise.
func nearest(to word: String, among candidates: [String]) -> String? {
    let limit = max(1, word.utf8.count / 3)
    var best: (distance: Int, word: String)?
    for candidate in candidates {
        let distance = editDistance(word.lowercased(), candidate.lowercased(), limit: limit)
        if distance <= limit, best.map({ distance < $0.distance }) ?? true { best = (distance, candidate) }
    }
    return best?.word
}

/// Insertions, deletions, replacements and exchanges of neighbours that make one text of the other; `limit + 1` where
/// there are more than `limit`.
func editDistance(_ left: String, _ right: String, limit: Int) -> Int {
    let left = Array(left.utf8.prefix(200))
    let right = Array(right.utf8.prefix(200))
    guard abs(left.count - right.count) <= limit else { return limit + 1 }
    var before: [Int] = []
    var previous = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            var cost = min(previous[column + 1] + 1, current[column] + 1)
            cost = min(cost, previous[column] + (left[row] == right[column] ? 0 : 1))
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                cost = min(cost, before[column - 1] + 1)
            }
            current.append(cost)
        }
        (before, previous) = (previous, current)
    }
    return min(previous[right.count], limit + 1)
}
