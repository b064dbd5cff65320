public import CarillonEvents
public import CarillonRules

/// A line on the worker's standard output, for trying rules out.
public struct ConsoleChannel: EndpointChannel {
    /// The longest line, in bytes.
    private static let limit = 4095

    /// `console`.
    public var name: String { "console" }

    /// Makes the channel from `channels.console`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> ConsoleChannel {
        _ = try SettingsReading("console", settings, known: [])
        return ConsoleChannel()
    }

    /// The channel for one endpoint: the same.
    public func adapted(to spec: EndpointSpec) -> ConsoleChannel { self }

    /// One line, whatever is in the text; nothing in it can steer a terminal.
    public func request(for outgoing: Outgoing, now: Timestamp) -> Request {
        let notice = outgoing.notice
        let head = [notice.time, "\(notice.workspace)/\(notice.rule)", notice.severity, outgoing.endpoint.name]
        let line = (head.joined(separator: " ") + ": " + notice.text).onOneLine.shortened(bytes: Self.limit)
        return Request(
            method: "", url: "", headers: HeaderLines(), body: Array((line + "\n").utf8), transport: .line)
    }

    /// Never asked: a line has no answer.
    public func outcome(of answer: Response) -> Outcome { .delivered }
}
