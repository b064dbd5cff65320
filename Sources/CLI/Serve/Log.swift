import CarillonEvents
import Logging
import Synchronization

/// The process's log: lines on standard error, as text for people or JSON for programs.
struct Log: LogHandler {
    private struct Setting {
        var level = Logger.Level.info
        var isJSON = false
    }
    private static let setting = Mutex(Setting())

    /// Starts the log, or changes it while it runs.
    static func set(_ logging: Configuration.Logging) {
        setting.withLock {
            $0 = Setting(level: Logger.Level(rawValue: logging.level) ?? .info, isJSON: logging.format == "json")
        }
    }

    /// A logger whose level follows the configuration.
    static func logger(_ label: String) -> Logger { Logger(label: label) { Log(label: $0) } }

    private let label: String
    private var own: Logger.Level?
    var metadata: Logger.Metadata = [:]

    init(label: String) { self.label = label }

    /// The configuration's, unless somebody asked this logger for less.
    var logLevel: Logger.Level {
        get { max(own ?? .trace, Self.setting.withLock { $0.level }) }
        set { own = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let message = printable(event.message.description, limit: 4000)
        if Self.setting.withLock({ $0.isJSON }) {
            let members: [JSONValue.Member] = [
                .string("time", clock.now().rfc3339), .string("level", event.level.rawValue), .string("logger", label),
                .string("message", message),
            ]
            let rest = details.map { JSONValue.Member.string($0.key, "\($0.value)") }
            Console.error(JSONValue.object(members + rest).text)
        } else {
            let rest = details.map { " \($0.key)=\(printable("\($0.value)"))" }.joined()
            Console.error("\(clock.now().rfc3339) \(event.level.rawValue) \(label): \(message)\(rest)")
        }
    }
}
