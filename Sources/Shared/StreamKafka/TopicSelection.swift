import CKafka
import CarillonStream

// Which topics belong to the stream, and what a topic's name says about the workspace of its records. A pattern's first
// group names the workspace (`^pai-(.*)-events$`); without a group it is what stands behind the pattern's plain beginning
// (`^pai-system-.*`: of `pai-system-vision` it is `vision`).

/// Topics by name and by pattern.
struct TopicSelection: Sendable {
    /// The topics given by name.
    let names: [String]
    private let patterns: [TopicPattern]

    init(_ topics: [String]) throws(StreamError) {
        var patterns: [TopicPattern] = []
        for pattern in topics where pattern.hasPrefix("^") { patterns.append(try TopicPattern(pattern)) }
        self.patterns = patterns
        names = topics.filter { !$0.hasPrefix("^") }
        guard !topics.isEmpty else { throw StreamError(.other, doing: "read no topic", cause: "name at least one") }
    }

    /// As librdkafka subscribes to them.
    var subscription: [String] { names + patterns.map(\.text) }

    /// Whether a topic of the cluster belongs to the stream.
    func contains(_ topic: String) -> Bool {
        names.contains(topic) || (!topic.hasPrefix("__") && patterns.contains { $0.match(topic) != nil })
    }

    /// The workspace a topic is for; `nil` when its name does not say.
    func workspace(of topic: String) -> String? {
        if names.contains(topic) { return nil }
        for pattern in patterns {
            if let workspace = pattern.match(topic) { return workspace.isEmpty ? nil : workspace }
        }
        return nil
    }

    /// Where events of a workspace are appended: the first topic by name, else the workspace's own by the first pattern.
    func home(of workspace: String) -> String? { names.first ?? patterns.first?.topic(for: workspace) }
}

/// One pattern, compiled.
@safe private final class TopicPattern: @unchecked Sendable {
    // See `compiled`: nothing here changes, and POSIX has regexec() thread-safe.
    let text: String
    private let beginning: String
    private let isPlainBehind: Bool
    // regcomp(3): "regexec() is used to match a null-terminated string against the precompiled pattern", which it is
    // given as const; POSIX demands both to be thread-safe.
    private let compiled: UnsafeMutablePointer<regex_t>

    init(_ text: String) throws(StreamError) {
        self.text = text
        guard let compiled = unsafe carillon_regex_new(text) else {
            throw StreamError(
                .other, doing: "read the topics \(text)", cause: "it is no POSIX extended regular expression")
        }
        unsafe self.compiled = unsafe compiled
        beginning = String(text.dropFirst().prefix { !".[]()*+?{}|\\$^".contains($0) })
        isPlainBehind = [".*", ".*$", ".+", ".+$", "(.*)", "(.*)$", "(.+)", "(.+)$"].contains(
            String(text.dropFirst(1 + beginning.count)))
    }

    deinit { unsafe carillon_regex_free(compiled) }

    /// The workspace a matching topic is for; `nil` when it does not match.
    func match(_ topic: String) -> String? {
        var from: Int32 = -1
        var to: Int32 = -1
        guard unsafe carillon_regex_match(compiled, topic, &from, &to) == 1 else { return nil }
        let bytes = Array(topic.utf8)
        guard from >= 0, to >= from, Int(to) <= bytes.count else { return String(topic.dropFirst(beginning.count)) }
        return String(decoding: bytes[Int(from)..<Int(to)], as: UTF8.self)
    }

    /// The topic of a workspace, where the pattern is a plain beginning and the workspace.
    func topic(for workspace: String) -> String? { isPlainBehind ? beginning + workspace : nil }
}
