/// How a command ended, for scripts.
package enum ExitCode: Int32, CaseIterable, Sendable {
    case fine = 0
    case found = 1
    case usage = 2
    case unreachable = 3
    case partly = 4

    /// What the code means, for the help.
    package var meaning: String {
        switch self {
        case .fine: "all is well"
        case .found: "the command worked and found something wrong"
        case .usage: "the command line or the configuration is wrong"
        case .unreachable: "something could not be reached"
        case .partly: "a part was done, the rest was not"
        }
    }
}
