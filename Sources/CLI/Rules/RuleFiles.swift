import CPlatform
import CarillonLedger
import CarillonRules
import Foundation
import Yams

/// Rule documents as the command line names them: files, and folders with all `*.yaml` below.
struct RuleFiles {
    private(set) var files: [(file: String, text: String)] = []
    /// Files that are no text.
    private(set) var problems: [Problem] = []
    /// Whether a folder was named: then its documents stand for the whole deployment.
    private(set) var hasFolder = false

    /// Reads everything named.
    ///
    /// - Throws: when something cannot be read, or a folder holds no document: an empty mount is a mistake, not a wish.
    init(_ paths: [String]) throws(Failure) {
        for path in paths { try add(path) }
    }

    /// What the documents say, compiled, and every problem in them.
    func load(limits: RuleLimits) -> (workspaces: [WorkspaceRules], problems: [Problem]) {
        let loaded = RuleDocuments.load(files, limits: limits)
        return (loaded.workspaces, problems + loaded.problems)
    }

    /// The texts of each workspace.
    ///
    /// Only for files that `load` found good.
    ///
    /// A file with documents of several workspaces is cut at its `---` lines; each piece keeps its line numbers.
    func sources() -> [String: [SourceText]] {
        var sources: [String: [SourceText]] = [:]
        for (file, text) in files {
            for piece in Self.documents(in: text) {
                guard let workspace = Self.workspace(of: piece) else { continue }
                sources[workspace, default: []].append(SourceText(file: file, text: piece))
            }
        }
        return sources
    }

    private mutating func add(_ path: String) throws(Failure) {
        var facts = stat()
        guard unsafe path == "-" || stat(path, &facts) == 0 else { throw Failure("\(path): no such file or folder") }
        guard path != "-", facts.st_mode & S_IFMT == S_IFDIR else { return try read(path) }
        hasFolder = true
        let found = (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? [])
            .filter { ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !("/" + $0).contains("/.") }.sorted()
        guard !found.isEmpty else { throw Failure("\(path): holds no *.yaml; name the folder with the rule documents") }
        for name in found { try read(path.hasSuffix("/") ? path + name : path + "/" + name) }
    }

    private mutating func read(_ path: String) throws(Failure) {
        let data: Data
        do {
            data =
                path == "-"
                ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(fileURLWithPath: path))
        } catch { throw Failure("\(path): cannot be read: \(reason(error))") }
        let name = path == "-" ? "stdin" : path
        guard let text = String(validating: data, as: UTF8.self) else {
            problems.append(Problem(file: name, line: 1, column: 1, message: "not UTF-8 text; save it as UTF-8"))
            return
        }
        files.append((name, text))
    }

    /// The documents of a file, each with as many empty lines before it as it has lines above.
    private static func documents(in text: String) -> [String] {
        var pieces: [String] = []
        var piece: [Substring] = []
        var hasContent = false
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if hasContent, line.hasPrefix("---"), line.dropFirst(3).first?.isWhitespace ?? true {
                pieces.append(piece.joined(separator: "\n"))
                (piece, hasContent) = (Array(repeating: "", count: number), false)
            }
            piece.append(line)
            let isMark = line.hasPrefix("---") || line.hasPrefix("%") || line.hasPrefix("#")
            hasContent = hasContent || !isMark && !line.allSatisfy(\.isWhitespace)
        }
        return pieces + [piece.joined(separator: "\n")]
    }

    private static func workspace(of document: String) -> String? {
        (try? Yams.compose(yaml: document))??.mapping?["workspace"]?.scalar?.string
    }
}
