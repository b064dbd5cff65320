import CarillonEvents

/// The blocks that MLRun's own Slack notifications are made of, for rooms whose readers know them.
///
/// What an event cannot say is left out: it is about one run, and has no name of a notification.
package struct MLRunBlocks: Sendable {
    /// One run.
    package struct Run: Sendable {
        /// Its name, MLRun's word for its state, and what went wrong.
        package var name, state, error: String
        /// Its results, in the event's order, values as text.
        package var results: [(name: String, value: String)]
        /// Where to look.
        package var url: String?

        package init(
            name: String, state: String, error: String = "", results: [(name: String, value: String)] = [],
            url: String? = nil
        ) {
            (self.name, self.state, self.error, self.results, self.url) = (name, state, error, results, url)
        }
    }

    package var severity, message: String
    package var name: String?
    package var runs: [Run]

    package init(severity: String, message: String, name: String? = nil, runs: [Run] = []) {
        (self.severity, self.message, self.name, self.runs) = (severity, message, name, runs)
    }

    private static let header = 150
    /// A section has at most ten fields; MLRun puts eight.
    private static let fieldsPerSection = 8

    /// The request's body.
    package var bytes: [UInt8] { body.bytes }

    var body: JSONBody {
        let (head, rest) = heading
        var blocks: [JSONBody] = [["type": "header", "text": ["type": "plain_text", "text": .text(head)]]]
        if let rest { blocks.append(Self.section(rest)) }
        if let name { blocks.append(Self.section(name)) }
        let fields = runs.isEmpty ? [] : ["*Runs*", "*Results*"] + runs.flatMap { [Self.line($0), Self.results($0)] }
        for start in stride(from: 0, to: fields.count, by: Self.fieldsPerSection) {
            let some = fields[start..<min(start + Self.fieldsPerSection, fields.count)]
            blocks.append(["type": "section", "fields": .list(some.map(Self.markdown))])
        }
        return ["blocks": .list(blocks)]
    }

    /// What is too long for a header is cut at its first comma, else at 150 characters; the rest is a section.
    private var heading: (String, rest: String?) {
        let whole = Array("[\(severity)] \(message)")
        guard whole.count > Self.header else { return (String(whole), nil) }
        if let comma = whole.indices.prefix(Self.header - 1).first(where: {
            whole[$0] == "," && $0 + 1 < whole.count && whole[$0 + 1] == " "
        }) {
            return (String(whole[..<comma]), String(whole[(comma + 2)...]))
        }
        return (String(whole[..<Self.header]), String(whole[Self.header...]))
    }

    private static func section(_ text: String) -> JSONBody {
        ["type": "section", "text": markdown(SlackChannel.escaped(text))]
    }

    private static func markdown(_ text: String) -> JSONBody {
        ["type": "mrkdwn", "text": .text(text)]
    }

    private static func line(_ run: Run) -> String {
        let sign =
            switch run.state {
            case "completed": ":smiley:"
            case "running": ":man-running:"
            case "error": ":x:"
            case "skipped": ":zzz:"
            default: ":question:"
            }
        let name = SlackChannel.escaped(run.name, to: 1000)
        guard let url = run.url, run.state != "skipped", !url.contains(where: { "<>|".contains($0) }) else {
            return "\(sign)  \(name)"
        }
        return "\(sign)  <\(url)|*\(name)*>"
    }

    private static func results(_ run: Run) -> String {
        // Slack takes 2000 characters in a field.
        if run.state == "error" {
            return "*" + SlackChannel.escaped(run.error.isEmpty ? "error" : run.error, to: 1990) + "*"
        }
        guard !run.results.isEmpty else { return SlackChannel.escaped(run.state, to: 1990) }
        return SlackChannel.escaped(run.results.map { "\($0.name)=\($0.value)" }.joined(separator: ", "), to: 1990)
    }
}

extension MLRunBlocks {
    /// The blocks for a notification: its event is the run.
    init(_ notice: Notice) {
        self.init(severity: Self.severity(notice.severity), message: notice.message.onOneLine)
        let bytes = Array(notice.event)
        guard let root = JSON.value(in: bytes.span, at: 0) else { return }
        let data = JSON.member("data", of: root, in: bytes.span).flatMap {
            JSON.kind(of: $0, in: bytes.span) == .object ? $0 : nil
        }
        func text(_ name: String) -> String? {
            data.flatMap { JSON.member(name, of: $0, in: bytes.span) }.map { Self.text(of: $0, in: bytes) }
        }
        var results: [(name: String, value: String)] = []
        if let found = data.flatMap({ JSON.member("results", of: $0, in: bytes.span) }),
            JSON.kind(of: found, in: bytes.span) == .object
        {
            JSON.members(of: found, in: bytes.span) { name, value in
                results.append((JSON.string(name, in: bytes.span) ?? "", Self.text(of: value, in: bytes)))
                return results.count < 32
            }
        }
        runs = [
            Run(
                name: text("name") ?? notice.subject ?? notice.type, state: Self.state(notice.type),
                error: text("message") ?? text("reason") ?? "", results: results, url: notice.link)
        ]
    }

    private static func text(of value: Slice, in bytes: [UInt8]) -> String {
        if JSON.kind(of: value, in: bytes.span) == .string { return JSON.string(value, in: bytes.span) ?? "" }
        return String(decoding: bytes[value.range], as: UTF8.self)
    }

    private static func severity(_ severity: String) -> String { severity == "critical" ? "error" : severity }

    /// MLRun's word for what an event says.
    private static func state(_ type: String) -> String {
        switch type.split(separator: ".").last {
        case "succeeded", "approved": "completed"
        case "failed", "timeout", "hung": "error"
        case "stopped": "aborted"
        case "queued", "bidding", "preparing": "pending"
        case "running", "retried", "recovered": "running"
        default: type
        }
    }
}
