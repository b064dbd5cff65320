import CarillonProducer
import Glibc

// A configuration is lines of KEY=VALUE, the keys being those of carillon.yaml as `--set` has them. Not YAML: that would
// bring a parser and Foundation into every program that loads the library.

/// Why a configuration cannot be used, with its line.
struct ConfigurationFault: Error, CustomStringConvertible {
    let description: String
}

/// The folder for data, found when it is needed.
struct Home: Sendable {
    let named: String?

    /// A path in the home, which is the one `carillon` takes.
    func file(_ name: String) throws(ConfigurationFault) -> String {
        if let home = named ?? Self.variable("CARILLON_HOME") { return home + "/" + name }
        if geteuid() == 0 { return "/var/lib/carillon/" + name }
        if let state = Self.variable("XDG_STATE_HOME"), state.hasPrefix("/") { return state + "/carillon/" + name }
        guard let user = Self.variable("HOME"), user.hasPrefix("/") else {
            throw ConfigurationFault(description: "no home for data: write home=FOLDER")
        }
        return user + "/.local/state/carillon/" + name
    }

    private static func variable(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// What `carillon_producer_open` is told.
struct ProducerConfiguration: Sendable {
    let appender: Backend.Opener
    let spool: String?
    let limits: Producer.Limits

    private static let keys = ["home", "stream.kind", "spool.path", "spool.bytes", "memory.events", "memory.bytes"]
    private static let largest = 1 << 20

    /// Reads the text, or the file it names as `@FILE`.
    init(_ text: String) throws(ConfigurationFault) {
        let isFile = text.hasPrefix("@")
        let source = isFile ? String(text.dropFirst()) : "config"
        let values = try Self.values(in: isFile ? try Self.contents(of: source) : text, from: source)
        let home = Home(named: values["home"]?.value)
        let kind = values["stream.kind"]?.value ?? "sqlite"
        guard let backend = Backend.all.first(where: { $0.kind == kind }) else {
            let known = Backend.all.map(\.kind).joined(separator: ", ")
            throw Self.fault(
                source, values["stream.kind"]?.line, "stream.kind \(kind) is not in this library (\(known))")
        }
        var settings: [String: String] = [:]
        for (key, entry) in values where !Self.keys.contains(key) {
            let name = String(key.dropFirst("stream.".count))
            guard key.hasPrefix("stream."), backend.understands(name) else {
                let known = Self.keys + backend.keys.map { "stream." + $0 }
                throw Self.fault(
                    source, entry.line, "unknown key \(key); known here: \(known.sorted().joined(separator: ", "))")
            }
            settings[name] = entry.value
        }
        appender = try backend.opener(settings, home)
        if let path = values["spool.path"]?.value {
            spool = path.isEmpty ? nil : path
        } else {
            spool = try home.file("spool")
        }
        limits = try Self.limits(values, source)
    }

    private typealias Entry = (value: String, line: Int)

    private static func values(in text: String, from source: String) throws(ConfigurationFault) -> [String: Entry] {
        var values: [String: Entry] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = trimmed(line)
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard let equals = line.firstIndex(of: "="), equals != line.startIndex else {
                throw fault(source, index + 1, "write KEY=VALUE, such as stream.path=/var/lib/carillon/stream.db")
            }
            let key = String(trimmed(line[..<equals]))
            guard values[key] == nil else { throw fault(source, index + 1, "\(key) stands twice") }
            values[key] = (String(trimmed(line[line.index(after: equals)...])), index + 1)
        }
        return values
    }

    private static func limits(
        _ values: [String: Entry], _ source: String
    ) throws(ConfigurationFault) -> Producer.Limits {
        func number(_ key: String, _ range: ClosedRange<Int>) throws(ConfigurationFault) -> Int? {
            guard let entry = values[key] else { return nil }
            guard let number = Int(entry.value), range.contains(number) else {
                throw fault(
                    source, entry.line, "\(key) is a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        var limits = Producer.Limits()
        limits.events = try number("memory.events", 1...16_777_216) ?? limits.events
        limits.bytes = try number("memory.bytes", 4096...(1 << 40)) ?? limits.bytes
        limits.spoolBytes = try number("spool.bytes", 4096...(1 << 50)).map(Int64.init) ?? limits.spoolBytes
        return limits
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    private static func fault(_ source: String, _ line: Int?, _ words: String) -> ConfigurationFault {
        ConfigurationFault(description: "\(source):\(line ?? 1): \(words)")
    }

    /// The text of a small file.
    static func contents(of path: String) throws(ConfigurationFault) -> String {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw ConfigurationFault(description: "\(path): cannot be read: \(unsafe String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= largest {
            let count = unsafe read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        guard bytes.count <= largest, let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationFault(description: "\(path): not UTF-8 text of at most 1 MiB")
        }
        return text
    }
}
