import Foundation
import RawSockets
import Testing

/// The claims of the tokens that the server got, and the first line of each request.
struct Received {
    var lines: [String] = []
    var bodies: [String] = []
    var tokenIDs: [String] = []
    var traces = 0

    init(_ server: RawServer) throws {
        for bytes in server.received where !bytes.isEmpty {
            let parts = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
            lines.append(parts[0])
            bodies.append(parts.last ?? "")
            traces += parts.count { $0.hasPrefix("traceparent: 00-") }
            let token = try #require(parts.first { $0.hasPrefix("auth: ") }).dropFirst(6)
            var claims = String(token.split(separator: ".")[1])
            claims = claims.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
            while claims.count % 4 != 0 { claims += "=" }
            let json = try JSONSerialization.jsonObject(with: try #require(Data(base64Encoded: claims)))
            tokenIDs.append(try #require((json as? [String: Any])?["jti"] as? String))
        }
    }
}
