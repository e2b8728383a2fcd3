/// What a client tells besides the answers to its calls.
package enum ClientEvent: Sendable {
    /// A line of the library's own log; level is syslog's, 0 (emergency) to 7 (debug).
    case log(level: Int, facility: String, text: String)
    /// Something that the library recovers from by itself, such as a lost connection.
    case error(KafkaError)
    case statistics(Statistics)
}

/// Is told what a client reports. It is called on the library's own threads: it must be quick, must not block, and must
/// not call the client.
package typealias ClientObserver = @Sendable (ClientEvent) -> Void
