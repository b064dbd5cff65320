import CarillonPlatform
import CarillonStream
import CarillonStreamKafka
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

    static let all: [Backend] = [sqlite, kafka]

    static let sqlite = Backend(kind: "sqlite", keys: ["path"]) { (settings, home) throws(ConfigurationFault) in
        let path: String
        if let named = settings["path"] { path = named } else { path = try home.file("stream.db") }
        return { () throws(StreamError) in try SQLiteStream.open(at: path).appender() }
    }

    static let kafka = Backend(kind: "kafka", keys: ["topics", "properties."]) {
        (settings, _) throws(ConfigurationFault) in
        let topics = (settings["topics"] ?? "carillon.events").split(separator: ",").map {
            String($0.drop { $0 == " " })
        }
        let given = settings.filter { $0.key != "topics" }
        guard given["properties.bootstrap.servers"] != nil else {
            throw ConfigurationFault(
                description: "stream.kind=kafka needs its brokers: stream.properties.bootstrap.servers=kafka:9092")
        }
        return { () throws(StreamError) in
            let configuration = KafkaStream.Configuration(topics: topics, properties: try properties(given))
            return try KafkaStream.open(configuration).appender()
        }
    }

    /// librdkafka's settings by their own names; those that end in `_file` are read anew each time, as passwords change.
    private static func properties(_ settings: [String: String]) throws(StreamError) -> [String: String] {
        var properties: [String: String] = [:]
        for (key, value) in settings {
            let name = String(key.dropFirst("properties.".count))
            guard name.hasSuffix("_file") else {
                properties[name] = value
                continue
            }
            do throws(ConfigurationFault) {
                var text = Substring(try ProducerConfiguration.contents(of: value))
                while text.last?.isNewline == true { text.removeLast() }
                properties[String(name.dropLast("_file".count))] = String(text)
            } catch { throw StreamError(.other, doing: "read stream.\(key)", cause: error.description) }
        }
        return properties
    }

    func understands(_ key: String) -> Bool {
        keys.contains { $0 == key || ($0.hasSuffix(".") && key.hasPrefix($0) && key.count > $0.count) }
    }
}
