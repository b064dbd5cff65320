import CarillonStream
import CarillonStreamSQLite

// The one file that names backends: how `stream.kind` becomes a stream. A further one is a value in `all`.

/// A stream the library can be told to append to.
struct Backend: Sendable {
    /// Opens the stream; called on the producer's thread, again after each failure.
    typealias Opener = @Sendable () throws(StreamError) -> any StreamAppender

    /// Its `stream.kind`.
    let kind: String
    /// What it understands below `stream.`; a name that ends in a dot stands for everything below it.
    let keys: [String]
    /// Makes an opener of the settings below `stream.`; throws when they do not do.
    let opener: @Sendable (_ settings: [String: String], _ home: Home) throws(ConfigurationFault) -> Opener

    static let all: [Backend] = [sqlite]

    static let sqlite = Backend(kind: "sqlite", keys: ["path"]) { (settings, home) throws(ConfigurationFault) in
        let path: String
        if let named = settings["path"] { path = named } else { path = try home.file("stream.db") }
        return { () throws(StreamError) in try SQLiteStream.open(at: path).appender() }
    }

    func understands(_ key: String) -> Bool {
        keys.contains { $0 == key || ($0.hasSuffix(".") && key.hasPrefix($0) && key.count > $0.count) }
    }
}
