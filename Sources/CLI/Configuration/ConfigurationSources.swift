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
        var texts: [String: (text: String, place: String, base: String)] = [:]
        for setting in Settings.all { if let text = setting.standard { texts[setting.key] = (text, "default", home) } }
        if let path {
            let file = ConfigurationFile(path: path, text: try Self.read(path))
            problems += file.problems.map(\.description)
            let base = (absolute(path) as NSString).deletingLastPathComponent
            for (key, entry) in file.entries {
                texts[key] = (entry.text, "\(path):\(entry.line):\(entry.column)", base)
            }
        }
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) {
            if let setting = Settings.setting(variable: variable) {
                texts[setting.key] = (value, variable, home)
            } else if Settings.claims(variable: variable) {
                problems.append("\(variable): \(Self.unknown(variable: variable))")
            }
        }
        for (key, value) in flags {
            if Settings.setting(key) == nil { problems.append("--set \(key): \(Settings.unknown(key))") }
            texts[key] = (value, "--set \(key)", home)
        }
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
        _ texts: [String: (text: String, place: String, base: String)], _ problems: inout [String]
    ) -> Values {
        var values: [String: Setting.Value] = [:]
        for (key, (text, place, base)) in texts.sorted(by: { $0.key < $1.key }) {
            guard let setting = Settings.setting(key) else { continue }
            do throws(Setting.Misfit) {
                var value = try setting.value(of: text)
                if case .path = setting.kind, case .text(let path) = value { value = .text(absolute(path, base: base)) }
                values[key] = value
            } catch { problems.append("\(place): \(error.words)") }
        }
        return Values(all: values)
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
