package import BridgeCore
internal import Telemetry

/// The process's clocks, read together.
package func currentMoment() -> Moment {
    Moment(wall: wallMilliseconds(), monotonic: monotonicMilliseconds())
}
