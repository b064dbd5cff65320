/// The header lines of a request, in one buffer.
///
/// A name or value that could end its line, or frame the request anew, is left out, so no document and no event can
/// inject a header or a second request.
public struct HeaderLines: Sendable, Equatable {
    /// The lines as they go over the wire, each `name: value` with CR and LF behind it.
    private(set) var bytes: [UInt8] = []
    /// How many lines there are.
    public private(set) var count = 0
    /// Whether one of them says which answers are welcome.
    private(set) var namesAccept = false

    /// Makes an empty list with room for the usual headers.
    public init() { bytes.reserveCapacity(512) }

    /// Appends a header; false when its name or value is not fit for one, and then nothing was appended.
    @discardableResult
    public mutating func append(_ name: String, _ value: String) -> Bool {
        guard Self.isToken(name), Self.isText(value) else { return false }
        append(line: name, value)
        return true
    }

    /// Appends a header of Carillon's own, whose name and value are known to be fit.
    mutating func append(own name: String, _ value: String) { append(line: name, value) }

    private mutating func append(line name: String, _ value: String) {
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: value.utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        count += 1
        if name.utf8.count == 6, name.lowercased() == "accept" { namesAccept = true }
    }

    /// The lines as text.
    public var lines: [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").map(String.init)
    }

    /// Headers that belong to the protocol or to Carillon, in lower case: a document cannot set them.
    public static let reserved: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
        "proxy-connection", "content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature",
        "carillon-attempt", "traceparent",
    ]

    /// Says why a document's header cannot be sent; `nil` when it can.
    ///
    /// The value is never repeated: it may be a secret.
    public static func problem(_ name: String, _ value: String) -> String? {
        if !isToken(name) { return "the header's name has a character that no header name may have" }
        if reserved.contains(name.lowercased()) { return "the header \(name) is set by Carillon" }
        return isText(value) ? nil : "the value of the header \(name) has a line break or control character"
    }

    /// Appends the headers of a document that have no problem.
    ///
    /// - Parameter namesType: whether they may say the body's type.
    mutating func append(document headers: [(name: String, value: String)], namesType: Bool = false) {
        for (name, value) in headers {
            let lowered = name.lowercased()
            if !Self.reserved.contains(lowered) || namesType && lowered == "content-type" { append(name, value) }
        }
    }

    private static func isToken(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    /// libcurl leaves out a header without a value, so an empty one is none.
    private static func isText(_ value: String) -> Bool {
        !value.isEmpty && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }
    }
}
