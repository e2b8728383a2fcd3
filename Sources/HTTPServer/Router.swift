/// Finds the handler of a request by its method and path. A value: build it, then hand `respond` to a server.
///
/// A pattern is a path whose segments are literals or parameters in braces: `/holds/{id}`. A literal wins over a
/// parameter. A last segment `{name...}` takes all the rest. HEAD is answered by GET's handler. An unknown path is 404, a
/// known path with another method 405 with `Allow`.
package struct Router: Sendable {
    /// A handler that answers at once, on the server's thread.
    package typealias Immediate = @Sendable (HTTPRequest) -> HTTPReply

    private struct Route: Sendable {
        var method: String
        var pattern: [Segment]
        var handler: Immediate
    }

    private enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
        case rest(String)
    }

    private var routes: [Route] = []

    /// A router that knows no path.
    package init() {}

    /// Adds a handler that runs as a child task of the server.
    package mutating func on(
        _ method: String, _ pattern: String, _ handler: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
    ) {
        reply(method, pattern) { request in .later { await handler(request) } }
    }

    /// Adds a handler that answers at once or begins work; it runs on the server's thread and must be short.
    package mutating func reply(_ method: String, _ pattern: String, _ handler: @escaping Immediate) {
        precondition(pattern.hasPrefix("/"), "a pattern begins with a slash: \(pattern)")
        let segments = pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
            guard part.hasPrefix("{"), part.hasSuffix("}") else { return Segment.literal(String(part)) }
            let name = part.dropFirst().dropLast()
            return name.hasSuffix("...") ? .rest(String(name.dropLast(3))) : .parameter(String(name))
        }
        routes.append(Route(method: method, pattern: segments, handler: handler))
    }

    /// The answer to a request.
    package func respond(to request: HTTPRequest) -> HTTPReply {
        var best: (route: Route, parameters: [String: String], weight: [Int])?
        var allowed: [String] = []
        for route in routes {
            guard let (parameters, weight) = Self.match(route.pattern, request.segments) else { continue }
            if !allowed.contains(route.method) { allowed.append(route.method) }
            let wanted = request.method == "HEAD" && route.method == "GET" ? "HEAD" : route.method
            guard wanted == request.method else { continue }
            if let current = best, !current.weight.lexicographicallyPrecedes(weight) { continue }
            best = (route, parameters, weight)
        }
        if let best {
            var request = request
            request.parameters = best.parameters
            return best.route.handler(request)
        }
        guard !allowed.isEmpty else { return .now(.text("There is nothing at this path.\n", status: 404)) }
        if allowed.contains("GET"), !allowed.contains("HEAD") { allowed.append("HEAD") }
        var response = HTTPResponse.text("This path does not know the method.\n", status: 405)
        response.headers["Allow"] = allowed.sorted().joined(separator: ", ")
        return .now(response)
    }

    /// The parameters, and for each segment how closely it fits.
    private static func match(_ pattern: [Segment], _ path: [String]) -> ([String: String], [Int])? {
        var parameters: [String: String] = [:]
        var weight: [Int] = []
        for (index, segment) in pattern.enumerated() {
            switch segment {
            case .rest(let name):
                guard index < path.count else { return nil }
                parameters[name] = path[index...].joined(separator: "/")
                return (parameters, weight + [0])
            case .literal(let text):
                // Compared as bytes: String's == takes canonically equal texts for the same.
                guard index < path.count, text.utf8.elementsEqual(path[index].utf8) else { return nil }
                weight.append(2)
            case .parameter(let name):
                guard index < path.count, !path[index].isEmpty else { return nil }
                parameters[name] = path[index]
                weight.append(1)
            }
        }
        return pattern.count == path.count ? (parameters, weight) : nil
    }
}
