import CarillonRules
import Foundation
import Yams

/// Reads `carillon.yaml` into texts by key, with the place of each.
struct ConfigurationFile {
    /// A value as it stands in the file.
    struct Entry {
        let text: String
        let line, column: Int
    }

    static let largest = 1 << 20

    let path: String
    private(set) var entries: [String: Entry] = [:]
    private(set) var problems: [Problem] = []

    /// Reads a file's text.
    ///
    /// Every problem is kept, none ends the reading.
    init(path: String, text: String) {
        self.path = path
        do {
            guard let root = try Yams.compose(yaml: text), !Self.isNull(root) else { return }
            guard let sections = root.mapping else {
                report(root, "a configuration is keys with values, such as \"stream: {retention: 7d}\"")
                return
            }
            for (name, node) in sections { read(node, key: Self.name(name), at: name) }
        } catch let error as YamlError {
            let (line, column, words) = error.place
            problems.append(Problem(file: path, line: line, column: column, message: "not YAML: \(words)"))
        } catch { problems.append(Problem(file: path, line: 1, column: 1, message: "not YAML: \(error)")) }
    }

    private mutating func read(_ node: Node, key: String, at name: Node) {
        if let setting = Settings.setting(key) {
            read(node, of: setting)
        } else if Settings.isNotYet(key) || !Settings.isSection(key) {
            report(name, Settings.unknown(key))
        } else if let mapping = node.mapping {
            for (name, node) in mapping { read(node, key: key + "." + Self.name(name), at: name) }
        } else if node.scalar != nil, !Self.isNull(node), let named = Settings.setting(key + ".schedule") {
            // A section that a name stands for.
            read(node, of: named)
        } else if !Self.isNull(node) {
            report(node, "\(key) has keys below it, not a value")
        }
    }

    private mutating func read(_ node: Node, of setting: Setting) {
        if setting.kind.isList, let items = node.sequence {
            let texts = items.compactMap { $0.scalar?.string }
            guard texts.count == items.count else { return report(node, "\(setting.key) is a list of texts") }
            // Each by itself, so that a fault has its own place.
            let before = problems.count
            for (item, text) in zip(items, texts) {
                do throws(Setting.Misfit) { _ = try setting.value(of: text) } catch { report(item, error.words) }
            }
            return problems.count == before ? keep(node, setting, texts.joined(separator: ",")) : ()
        }
        if case .map = setting.kind {
            guard let map = node.mapping.flatMap(Self.texts) else {
                return report(node, "\(setting.key) is keys with one value each")
            }
            return keep(node, setting, map)
        }
        guard let scalar = node.scalar else {
            return report(node, "\(setting.key) is one value, not \(Self.words(node))")
        }
        guard !Self.isNull(node) else {
            return report(node, "\(setting.key) has no value; write one or remove the key")
        }
        keep(node, setting, scalar.string)
    }

    private mutating func keep(_ node: Node, _ setting: Setting, _ text: String) {
        do throws(Setting.Misfit) { _ = try setting.value(of: text) } catch { return report(node, error.words) }
        entries[setting.key] = Entry(text: text, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    private mutating func report(_ node: Node, _ message: String) {
        problems.append(
            Problem(file: path, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1, message: message))
    }

    /// A mapping of texts as a JSON object; `nil` when a value is no text.
    private static func texts(_ mapping: Node.Mapping) -> String? {
        var texts: [String: String] = [:]
        for (key, value) in mapping {
            guard let key = key.scalar?.string, let text = value.scalar?.string else { return nil }
            texts[key] = text
        }
        return (try? JSONEncoder().encode(texts)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func name(_ node: Node) -> String { node.scalar?.string ?? "?" }

    /// Null as YAML 1.2's core schema has it: nothing, `~` or `null`, unquoted.
    private static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func words(_ node: Node) -> String { node.sequence != nil ? "a list" : "keys and values" }
}

extension YamlError {
    /// Where the text stops being YAML, and why.
    var place: (line: Int, column: Int, words: String) {
        switch self {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, mark.column, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark.line, context.mark.column, "the key \(duplicates.first ?? "") stands twice")
        default: (1, 1, description.split(separator: "\n").first.map(String.init) ?? "unreadable")
        }
    }
}
