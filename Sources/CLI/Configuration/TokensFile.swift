import CarillonRules
import CarillonServer
import Foundation
import Yams

// Who may send events over HTTP:
//
//     tokens:
//       - {name: volcano-a, sha256: 9f86d0…, workspaces: [vision, "team-*"], sources: [/schedulers/volcano-a]}
//       - {name: ops, token: at-least-sixteen-characters, workspaces: ["*", _system]}

/// Reads `http.tokens_file`.
struct TokensFile {
    /// A token has at least so many characters, so that nobody guesses one.
    private static let shortest = 16
    private static let keys = ["name", "token", "sha256", "workspaces", "sources"]

    private let path: String
    private(set) var tokens = AccessTokens()
    private var problems: [Problem] = []

    /// Reads the file.
    ///
    /// - Throws: every problem with its place; no text of a token is ever in it.
    static func read(_ path: String) throws(ConfigurationError) -> AccessTokens {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw ConfigurationError(problems: ["\(path): cannot be read: \(reason(error)); http.tokens_file names it"])
        }
        guard data.count <= ConfigurationFile.largest, let text = String(validating: data, as: UTF8.self) else {
            throw ConfigurationError(problems: ["\(path): not UTF-8 text of at most 1 MiB"])
        }
        return try TokensFile(path: path, text: text).result()
    }

    /// Reads a file's text.
    init(path: String, text: String) {
        self.path = path
        do {
            guard let root = try Yams.compose(yaml: text), let sections = root.mapping else {
                problems.append(Problem(file: path, line: 1, column: 1, message: "write tokens: and a list below it"))
                return
            }
            for (name, node) in sections {
                guard name.scalar?.string == "tokens" else {
                    report(name, "unknown key \(Self.shown(name)); known here: tokens")
                    continue
                }
                guard let items = node.sequence else {
                    report(node, "tokens is a list")
                    continue
                }
                for item in items { add(item) }
            }
        } catch let error as YamlError {
            let place = error.place
            problems.append(
                Problem(file: path, line: place.line, column: place.column, message: "not YAML: \(place.words)"))
        } catch { problems.append(Problem(file: path, line: 1, column: 1, message: "not YAML")) }
    }

    /// The tokens, when there is nothing wrong.
    func result() throws(ConfigurationError) -> AccessTokens {
        guard problems.isEmpty else { throw ConfigurationError(problems: problems.map(\.description)) }
        return tokens
    }

    private mutating func add(_ item: Node) {
        guard let mapping = item.mapping else {
            return report(item, "a token is keys with values: \(Self.keys.joined(separator: ", "))")
        }
        let before = problems.count
        for (key, _) in mapping where !Self.keys.contains(key.scalar?.string ?? "") {
            let meant = nearest(to: Self.shown(key), among: Self.keys).map { "; did you mean \($0)?" } ?? ""
            report(
                key,
                "unknown key \(Self.shown(key))\(meant.isEmpty ? "; known here: " + Self.keys.joined(separator: ", ") : meant)"
            )
        }
        guard let name = mapping["name"]?.scalar?.string, !name.isEmpty else { return report(item, "name is missing") }
        let grant = AccessTokens.Grant(
            name: name, workspaces: list("workspaces", mapping, item) ?? [],
            sources: mapping["sources"] == nil ? nil : list("sources", mapping, item))
        guard let added = secret(mapping, item, name, grant), problems.count == before else { return }
        if !added { report(item, "\(name): the same token stands here twice") }
    }

    /// Adds the token; `nil` when there is none that could be added.
    private mutating func secret(
        _ mapping: Node.Mapping, _ item: Node, _ name: String, _ grant: AccessTokens.Grant
    ) -> Bool? {
        switch (mapping["token"], mapping["sha256"]) {
        case (let node?, nil):
            guard let token = node.scalar?.string, token.count >= Self.shortest,
                token.utf8.allSatisfy({ 0x21...0x7e ~= $0 })
            else {
                report(
                    node, "\(name): a token is \(Self.shortest) or more letters, digits and signs: openssl rand -hex 32"
                )
                return nil
            }
            return tokens.add(token: token, grant)
        case (nil, let node?):
            guard let digest = node.scalar.flatMap({ Self.bytes(hexadecimal: $0.string) }), digest.count == 32 else {
                report(node, "\(name): sha256 is 64 hexadecimal digits: printf %s TOKEN | sha256sum")
                return nil
            }
            return tokens.add(sha256: digest, grant)
        case (nil, nil): report(item, "\(name): give its token, or the token's sha256")
        default: report(item, "\(name): token and sha256 exclude each other")
        }
        return nil
    }

    private mutating func list(_ key: String, _ mapping: Node.Mapping, _ item: Node) -> [String]? {
        guard let node = mapping[key] else {
            report(item, "\(key) is missing; a list, with * for any run of characters")
            return nil
        }
        let texts = node.sequence?.compactMap { $0.scalar?.string } ?? []
        guard let count = node.sequence?.count, count == texts.count, count > 0, !texts.contains("") else {
            report(node, "\(key) is a list of at least one text")
            return nil
        }
        return texts
    }

    private mutating func report(_ node: Node, _ message: String) {
        problems.append(
            Problem(file: path, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1, message: message))
    }

    /// A key, short: it may be a token in the wrong place.
    private static func shown(_ node: Node) -> String { String((node.scalar?.string ?? "?").prefix(12)) }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = text.compactMap { $0.isASCII ? $0.hexDigitValue : nil }
        guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
