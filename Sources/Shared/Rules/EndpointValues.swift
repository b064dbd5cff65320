// What addresses, secrets and headers of endpoints may be: asked of documents when they are checked, and of the values of
// secrets when they are read.

/// What an address in a document may be.
public enum WebAddress {
    /// What is wrong with the text as a webhook's address, to follow "the url"; `nil` when nothing is.
    ///
    /// For the values of secrets too, when they are read. Says nothing of the address itself.
    public static func fault(of text: String) -> String? {
        if text.utf8.count > 2048 { return "is longer than 2048 bytes" }
        if text.unicodeScalars.contains(where: { $0.isControl || $0 == " " || $0 == "\\" }) {
            return "has a space, a backslash or a control character"
        }
        guard let scheme = ["http://", "https://"].first(where: { text.lowercased().hasPrefix($0) }) else {
            return "begins with neither http:// nor https://"
        }
        let authority = text.utf8.dropFirst(scheme.utf8.count).prefix { ![0x2F, 0x3F, 0x23].contains($0) }
        if authority.contains(UInt8(ascii: "@")) {
            return "holds a user or a password; put them into a header as a secret"
        }
        return authorityFault(Array(authority))
    }

    private static func authorityFault(_ authority: [UInt8]) -> String? {
        var port = authority[...]
        if authority.first == UInt8(ascii: "[") {
            guard let close = authority.firstIndex(of: UInt8(ascii: "]")), close > 2,
                authority[1..<close].allSatisfy({ isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }
                )
            else { return "has no IPv6 address between its brackets" }
            port = authority[(close + 1)...]
        } else {
            let host = authority.prefix { $0 != UInt8(ascii: ":") }
            guard !host.isEmpty else { return "has no host" }
            guard host.count <= 253, host.allSatisfy(isHostByte) else { return "has no valid host" }
            port = authority[host.endIndex...]
        }
        guard !port.isEmpty else { return nil }
        guard port.first == UInt8(ascii: ":"), let number = UInt16(String(decoding: port.dropFirst(), as: UTF8.self)),
            number > 0
        else { return "has no valid port" }
        return nil
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }

    /// Letters, digits and `-._`, and what is not ASCII: a name in another script is the resolver's affair.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte >= 0x80
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
    }

    /// The scheme, host and port: the part of an address that may be shown.
    ///
    /// Paths and queries often hold a key.
    static func origin(of text: String) -> String {
        guard let slashes = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return "•••" }
        let host = text.utf8[slashes...].dropFirst(2).prefix { ![0x2F, 0x3F, 0x23].contains($0) }
        return String(Substring(text.utf8[..<host.endIndex]))
    }
}

/// What a chat robot's signing secret or a pager's routing key may be.
public enum ChannelKey {
    /// What is wrong with the text, to follow what it is; `nil` when nothing is.
    ///
    /// For the values of secrets too, when they are read. Says nothing of the value itself.
    public static func fault(of text: String) -> String? {
        if text.isEmpty { return "is empty" }
        if text.utf8.count > 256 { return "is longer than 256 bytes" }
        return text.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? nil : "has a space or a character beyond ASCII"
    }
}

/// What a signing secret looks like, by Standard Webhooks.
public enum SigningSecret {
    /// Whether the text is `whsec_` and the base64 of 24 to 64 bytes.
    public static func isWellFormed(_ text: String) -> Bool {
        guard text.hasPrefix("whsec_") else { return false }
        let code = Array(text.utf8.dropFirst(6))
        let body = code.prefix { isBase64($0) }
        let padding = code.count - body.count
        guard code.count % 4 == 0, padding <= 2, code.suffix(padding).allSatisfy({ $0 == UInt8(ascii: "=") }) else {
            return false
        }
        return (24...64).contains(code.count / 4 * 3 - padding)
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "+")
            || byte == UInt8(ascii: "/")
    }
}

/// What a document's own headers may be.
public enum HeaderRules {
    private static let ours: Set<String> = [
        "host", "content-type", "content-length", "transfer-encoding", "connection", "expect", "te", "trailer",
        "upgrade",
        "user-agent", "traceparent", "keep-alive", "proxy-connection",
    ]

    /// What is wrong with a header's name, to follow "the header 'x'"; `nil` when nothing is.
    public static func fault(ofName name: String) -> String? {
        let lowered = name.lowercased()
        if name.isEmpty || name.utf8.count > 128 || !name.utf8.allSatisfy(isTokenByte) {
            return "is no header name: letters, digits and !#$%&'*+-.^_`|~, at most 128"
        }
        if ours.contains(lowered) || lowered.hasPrefix("webhook-") || lowered.hasPrefix("carillon-") {
            return "is set by Carillon"
        }
        return nil
    }

    /// What is wrong with a header's value, to follow "the value of header 'x'"; `nil` when nothing is.
    ///
    /// For the values of secrets too, when they are read. Says nothing of the value itself.
    public static func fault(ofValue value: String) -> String? {
        if value.utf8.count > 8192 { return "is longer than 8192 bytes" }
        if value.unicodeScalars.contains(where: { $0.isControl && $0 != "\t" }) {
            return "has a line break or another control character"
        }
        return nil
    }

    /// Whether the header usually carries a secret.
    static func isSecret(_ name: String) -> Bool {
        let lowered = name.lowercased()
        return ["auth", "cookie", "token", "secret", "key", "password"].contains { lowered.contains($0) }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
