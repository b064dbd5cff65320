import CarillonRules
import Foundation

/// Where settings come from, in the order of their right: flags, environment, file, defaults.
struct ConfigurationSources {
    /// `--config`.
    var file: String?
    /// `--home`.
    var home: String?
    /// `--set KEY=VALUE`, each later one over the earlier.
    var flags: [(key: String, value: String)] = []
    /// The process's environment.
    var environment: [String: String] = ProcessInfo.processInfo.environment
    /// Whether the process runs as root.
    var isRoot = geteuid() == 0

    /// Reads and checks everything.
    ///
    /// - Throws: `ConfigurationError` with every problem found.
    func load() throws(ConfigurationError) -> Configuration {
        let path = try findFile()
        let home = try findHome()
        var problems: [String] = []
        var texts: [String: Said] = [:]
        for setting in Settings.all {
            if let text = setting.standard {
                texts[setting.key] = Said(text: text, place: "default", base: home, right: .standard)
            }
        }
        if let path {
            let file = ConfigurationFile(path: path, text: try Self.read(path))
            problems += file.problems.map(\.description)
            let base = (absolute(path) as NSString).deletingLastPathComponent
            for (key, entry) in file.entries {
                let place = "\(path):\(entry.line):\(entry.column)"
                texts[key] = Said(text: entry.text, place: place, base: base, right: .file)
            }
        }
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) {
            if let setting = Settings.setting(variable: variable) {
                texts[setting.key] = Said(text: value, place: variable, base: home, right: .environment)
            } else if Settings.claims(variable: variable) {
                problems.append("\(variable): \(Self.unknown(variable: variable))")
            }
        }
        for (key, value) in flags {
            if Settings.setting(key) == nil { problems.append("--set \(key): \(Settings.unknown(key))") }
            texts[key] = Said(text: value, place: "--set \(key)", base: home, right: .flag)
        }
        Self.settleFileForms(&texts, &problems)
        let values = Self.check(texts, &problems)
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        let configuration = Configuration(values, home: home, file: path)
        let contradictions = configuration.contradictions.map { contradiction in
            (contradiction.keys.lazy.compactMap { texts[$0]?.place }.first { $0 != "default" } ?? "default")
                + ": " + contradiction.words
        }
        guard contradictions.isEmpty else { throw ConfigurationError(problems: contradictions) }
        return configuration
    }

    private static func check(
        _ texts: [String: Said], _ problems: inout [String]
    ) -> Values {
        var values: [String: Setting.Value] = [:]
        for (key, said) in texts.sorted(by: { $0.key < $1.key }) {
            guard let setting = Settings.setting(key) else { continue }
            do throws(Setting.Misfit) {
                var value = try setting.value(of: said.text)
                if case .path = setting.kind, case .text(let path) = value {
                    value = .text(absolute(path, base: said.base))
                }
                values[key] = value
            } catch { problems.append("\(said.place): \(error.words)") }
        }
        return Values(all: values)
    }

    /// Of a secret and the file of a secret the one with the higher right counts; two of the same right contradict.
    private static func settleFileForms(_ texts: inout [String: Said], _ problems: inout [String]) {
        for setting in Settings.all where setting.kind.isSecret {
            let file = Settings.fileForm(of: setting.key)
            guard let clear = texts[setting.key], let named = texts[file] else { continue }
            if clear.right == named.right {
                problems.append("\(named.place): \(setting.key) and \(file) are both set; keep one")
            } else {
                texts[clear.right < named.right ? setting.key : file] = nil
            }
        }
    }

    private static func unknown(variable: String) -> String {
        let names = Settings.all.map(\.variable)
        if let meant = nearest(to: variable, among: names) { return "unknown variable; did you mean \(meant)?" }
        return "unknown variable; the variables are the keys of carillon.yaml, as in CARILLON_STREAM_RETENTION"
    }

    private func findFile() throws(ConfigurationError) -> String? {
        if let named = file ?? set("CARILLON_CONFIG") {
            guard FileManager.default.fileExists(atPath: named) else {
                let origin = file != nil ? "--config" : "CARILLON_CONFIG"
                throw ConfigurationError(problems: ["\(named): no such file; \(origin) has to name a configuration"])
            }
            return named
        }
        return ["./carillon.yaml", "/etc/carillon/carillon.yaml"].first(where: FileManager.default.fileExists(atPath:))
    }

    private func findHome() throws(ConfigurationError) -> String {
        if let home = home ?? set("CARILLON_HOME") { return absolute(home) }
        if isRoot { return "/var/lib/carillon" }
        if let state = set("XDG_STATE_HOME"), state.hasPrefix("/") { return state + "/carillon" }
        guard let user = set("HOME"), user.hasPrefix("/") else {
            throw ConfigurationError(problems: ["no home for data: set --home, CARILLON_HOME or HOME"])
        }
        return user + "/.local/state/carillon"
    }

    private func set(_ variable: String) -> String? { environment[variable].flatMap { $0.isEmpty ? nil : $0 } }

    private static func read(_ path: String) throws(ConfigurationError) -> String {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw ConfigurationError(problems: ["\(path): cannot be read: \(reason(error))"])
        }
        guard data.count <= ConfigurationFile.largest else {
            throw ConfigurationError(problems: ["\(path): larger than 1 MiB; a configuration is a page or two"])
        }
        guard let text = String(validating: data, as: UTF8.self), !text.utf8.contains(0) else {
            throw ConfigurationError(problems: ["\(path): not UTF-8 text; save it as UTF-8"])
        }
        return text
    }
}

/// What a source says of a key.
private struct Said {
    /// Sources in the order of their right.
    enum Right: Int, Comparable {
        case standard, file, environment, flag
        static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
    }
    let text: String
    /// Where it stands, for messages.
    let place: String
    /// What a relative path is relative to.
    let base: String
    let right: Right
}

/// A path made absolute: as the shell means it, or below a base.
func absolute(_ path: String, base: String = FileManager.default.currentDirectoryPath) -> String {
    path.hasPrefix("/") ? path : base + "/" + path
}

/// The system's own words for an error of Foundation.
func reason(_ error: any Error) -> String {
    let error = error as NSError
    if let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError, underlying.domain == NSPOSIXErrorDomain {
        return unsafe strerror(Int32(underlying.code)).map { unsafe String(cString: $0) } ?? "error \(underlying.code)"
    }
    return error.localizedDescription
}

/// Why the configuration cannot be used; every problem with its place.
struct ConfigurationError: Error, Sendable {
    let problems: [String]
}
