/// A text that is shown to nobody: neither printed, dumped nor compared in a message.
struct MaskedText: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself.
    let clear: String

    init(_ clear: String) { self.clear = clear }

    var description: String { "•••" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
