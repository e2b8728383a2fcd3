import Testing

@testable import Configuration

@Suite("Names that a replica has in the cluster")
struct ReplicaNameTests {
    private func settings(_ group: String, _ namespace: String?, _ name: String) -> BridgeSettings {
        var settings = BridgeSettings()
        settings.group.id = group
        settings.replica.namespace = namespace
        settings.replica.name = name
        settings.replica.isStatic = true
        return settings
    }

    @Test("Names without dots are joined by dots; with dots their lengths follow")
    func form() {
        #expect(settings("bridge", "prod", "h").transactionalId == "bridge.prod.h")
        #expect(settings("bridge", nil, "h").transactionalId == "bridge.h")
        #expect(settings("bridge", "prod", "h.example").transactionalId == "bridge.prod.h.example.6-4-9")
        #expect(settings("bridge", "prod", "h").groupInstanceId == "prod.h")
        #expect(settings("bridge", nil, "h.example").groupInstanceId == "h.example.9")
    }

    /// All texts of up to four of these characters, which the separators consist of.
    private static let texts: [String] = {
        var all = [""]
        var result: [String] = []
        for _ in 0..<4 {
            all = all.flatMap { text in [".", "1", "-"].map { text + $0 } }
            result += all
        }
        return result
    }()

    @Test("Two replicas never share a name, and none has that of check")
    func unique() {
        let names = Self.texts.filter { $0.utf8.count <= 3 }
        var ids: Set<String> = []
        var checkIds: Set<String> = []
        var count = 0
        for group in names {
            for name in names {
                for namespace in [nil] + names.filter({ $0.utf8.count <= 2 }) {
                    let settings = settings(group, namespace, name)
                    ids.insert(settings.transactionalId)
                    checkIds.insert(settings.checkTransactionalId)
                    count += 1
                }
            }
        }
        #expect(ids.count == count && checkIds.count == count)
        #expect(ids.isDisjoint(with: checkIds))
        let named = settings("g", "n", "check").transactionalId
        #expect(named != settings("g", nil, "n").checkTransactionalId)
        var instances: Set<String> = []
        count = 0
        for name in Self.texts {
            for namespace in [nil] + Self.texts {
                if let id = settings("g", namespace, name).groupInstanceId { instances.insert(id) }
                count += 1
            }
        }
        #expect(instances.count == count)
    }
}
