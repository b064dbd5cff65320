/// A text that is told from others by its bytes.
///
/// Swift's own strings are equal when they look equal: `é` in one scalar and in two. Events are compared byte for byte.
struct ByteText: Hashable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: Self, b: Self) -> Bool { a.text.utf8.span.equals(b.text.utf8.span) }

    func hash(into hasher: inout Hasher) {
        hasher.combine(text.utf8.count)
        let bytes = text.utf8.span
        // The bytes are only read, and only here.
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }

    /// Its UTF-8.
    var bytes: [UInt8] { Array(text.utf8) }
}
