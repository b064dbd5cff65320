import Glibc

/// A shape's rules and events in a folder, so that every matcher gets the same bytes.
///
/// `rules.tsv` has a rule a line, its name before a tab and its pattern, `events.jsonl` an event a line, `shape` its name.
struct MatchFiles {
    let folder: String

    func write(_ shape: MatchShape) throws {
        try make(folder)
        try Output(path: folder + "/shape").write(Array(shape.name.utf8))
        let rules = shape.patterns.enumerated().map { "\($0.offset)\t\($0.element)\n" }
        try Output(path: folder + "/rules.tsv").write(Array(rules.joined().utf8))
        try Output(path: folder + "/events.jsonl").write(Array(shape.events.joined(separator: [newline]) + [newline]))
    }

    /// The shape that was written, with its first events.
    func read(atMost limit: Int) throws -> MatchShape {
        let rules = try Input.read(folder + "/rules.tsv").split(separator: newline)
        let events = try Input.read(folder + "/events.jsonl").split(separator: newline, maxSplits: limit)
        return MatchShape(
            name: String(decoding: try Input.read(folder + "/shape"), as: UTF8.self),
            patterns: rules.map { String(decoding: $0.drop { $0 != tab }.dropFirst(), as: UTF8.self) },
            events: events.prefix(limit).map(Array.init))
    }

    private var newline: UInt8 { UInt8(ascii: "\n") }
    private var tab: UInt8 { UInt8(ascii: "\t") }

    private func make(_ path: String) throws {
        for end in path.indices.dropFirst() where path[end] == "/" { unsafe _ = mkdir(String(path[..<end]), 0o755) }
        guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else { throw SystemFailure("make \(path)") }
    }
}

extension MatchShape {
    /// Its name in words and its number of rules, as a folder is called.
    var folder: String {
        "\(name)-\(patterns.count)".split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
    }
}
