// Reading `endpoints:`. What a webhook may be told is checked here, where line and column are known; whether an address
// is inside the network is checked when it is called.

/// The names of channels, which no endpoint may take.
enum ChannelNames {
    static let people = ["mail", "sms", "voice", "inbox"]
    static let kinds = [
        "webhook", "dingtalk", "feishu", "wecom", "slack", "teams", "discord", "pagerduty", "opsgenie", "git",
        "console",
    ]
}

/// An endpoint as its document has it.
struct EndpointDraft {
    let name: String
    let place: Place
    /// `nil` when something in it was reported.
    let spec: EndpointSpec?
}

/// Reads the endpoints of one document, in its order.
func endpointDrafts(_ tree: Tree, _ findings: inout Findings) -> [EndpointDraft] {
    guard case .mapping(let pairs) = tree.content else {
        findings.report("'endpoints' is a mapping of names to endpoints, not \(tree.kind)", at: tree.place)
        return []
    }
    return keyed(pairs, &findings).map { key, value in
        let fault = endpointNameFault(key.name)
        if let fault { findings.report(fault, at: key.place) }
        let spec = EndpointReading(name: key.name, place: key.place).spec(value, &findings)
        return EndpointDraft(name: key.name, place: key.place, spec: fault == nil ? spec : nil)
    }
}

private func endpointNameFault(_ name: String) -> String? {
    if let fault = nameFault(name) { return "an endpoint's name \(fault)" }
    if name.hasPrefix("$") { return "an endpoint's name does not begin with '$', which stands for people" }
    if (ChannelNames.people + ChannelNames.kinds).contains(name) {
        return "'\(name)' is the name of a channel; an endpoint needs another"
    }
    return nil
}

private struct EndpointReading {
    let name: String
    let place: Place

    private static let vocabulary = Vocabulary(
        "an endpoint",
        known: ["kind", "webhook", "url", "secret", "headers", "method", "format", "verify_ssl", "retry"],
        later: ["body": "bodies of one's own", "sign": "chat channels"].merging(
            ChannelNames.kinds.dropFirst().map { ($0, "this kind of endpoint") }, uniquingKeysWith: { a, _ in a }))

    private enum Format: String, CaseIterable { case standard }
    private enum Kind: String, CaseIterable { case webhook }
    private enum Method: String, CaseIterable { case post = "POST", put = "PUT", patch = "PATCH" }

    func spec(_ tree: Tree, _ findings: inout Findings) -> EndpointSpec? {
        guard let fields = Fields(tree, Self.vocabulary, &findings) else { return nil }
        let kind = kind(fields, &findings)
        let url = (fields["url"] ?? fields["webhook"]).flatMap { self.url($0, &findings) }
        let secrets = fields["secret"].map { self.secrets($0, &findings) } ?? []
        let headers = fields["headers"].map { self.headers($0, &findings) } ?? []
        let method = fields["method"].map { $0.word("'method'", as: Method.self, &findings) } ?? .post
        let format = fields["format"].map {
            $0.word("'format'", as: Format.self, later: ["cloudevents", "body"], &findings)
        }
        let verify = fields["verify_ssl"].map { $0.bool("'verify_ssl'", &findings) } ?? true
        let retry = fields["retry"].map { $0.word("'retry'", as: RetryName.self, &findings) }
        guard kind, let url, let method, let verify, format != .some(nil), retry != .some(nil) else { return nil }
        return EndpointSpec(
            name: name, url: url, secrets: secrets, headers: headers, method: method.rawValue, verifySSL: verify,
            retry: retry.flatMap(\.self), file: place.source.file, line: place.line)
    }

    /// Whether `kind` and `url`, or their shorthand `webhook`, are there.
    private func kind(_ fields: Fields, _ findings: inout Findings) -> Bool {
        if fields["webhook"] != nil {
            for other in ["kind", "url"] where fields[other] != nil {
                findings.report(
                    "'webhook' stands for kind and url, so '\(other)' is too much", at: fields.place(of: other))
                return false
            }
            return true
        }
        guard fields["kind"] != nil || !fields.hasUnbuilt,
            let kind = fields.required("kind", in: "endpoint '\(name.shortened)'", &findings),
            kind.word("'kind'", as: Kind.self, later: Array(ChannelNames.kinds.dropFirst()), &findings) != nil
        else { return false }
        return fields.required("url", in: "endpoint '\(name.shortened)'", &findings) != nil
    }

    private func url(_ tree: Tree, _ findings: inout Findings) -> SecretOrText? {
        guard let url = secretOrText("the url", tree, &findings) else { return nil }
        if case .text(let text) = url, let fault = WebAddress.fault(of: text) {
            findings.report("the url \(fault)", at: tree.place)
            return nil
        }
        return url
    }

    private func secrets(_ tree: Tree, _ findings: inout Findings) -> [SecretOrText] {
        var items = [tree]
        if case .list(let list) = tree.content {
            items = list
            if !(1...2).contains(list.count) {
                findings.report("'secret' is one secret, or two while one replaces the other", at: tree.place)
            }
        }
        return items.compactMap { item in
            guard let secret = secretOrText("the secret", item, &findings) else { return nil }
            guard case .text(let text) = secret else { return secret }
            if !SigningSecret.isWellFormed(text) {
                findings.report("the secret is not 'whsec_' and the base64 of 24 to 64 bytes", at: item.place)
                return nil
            }
            warnOfLiteral("a signing secret", at: item.place, &findings)
            return secret
        }
    }

    private func headers(_ tree: Tree, _ findings: inout Findings) -> [(name: String, value: SecretOrText)] {
        guard case .mapping(let pairs) = tree.content else {
            findings.report("'headers' is a mapping of names to values, not \(tree.kind)", at: tree.place)
            return []
        }
        if pairs.count > 32 {
            findings.report("an endpoint has at most 32 headers, not \(pairs.count)", at: tree.place)
        }
        var seen: Set<String> = []
        return keyed(pairs, &findings).compactMap { key, value in
            if let fault = HeaderRules.fault(ofName: key.name) {
                findings.report("the header '\(key.name.shortened)' \(fault)", at: key.place)
                return nil
            }
            guard seen.insert(key.name.lowercased()).inserted else {
                findings.report("the header '\(key.name)' stands here twice", at: key.place)
                return nil
            }
            return header(key.name, value, &findings).map { (key.name, $0) }
        }
    }

    private func header(_ name: String, _ tree: Tree, _ findings: inout Findings) -> SecretOrText? {
        guard let value = secretOrText("the value of header '\(name)'", tree, &findings) else { return nil }
        guard case .text(let text) = value else { return value }
        if let fault = HeaderRules.fault(ofValue: text) {
            findings.report("the value of header '\(name)' \(fault)", at: tree.place)
            return nil
        }
        if HeaderRules.isSecret(name) { warnOfLiteral("the value of header '\(name)'", at: tree.place, &findings) }
        return value
    }

    private func warnOfLiteral(_ what: String, at place: Place, _ findings: inout Findings) {
        findings.warn(
            "\(what) stands in the document; keep it with 'carillon secrets set' and write {secret: NAME}", at: place)
    }

    private func secretOrText(_ what: String, _ tree: Tree, _ findings: inout Findings) -> SecretOrText? {
        guard case .mapping = tree.content else { return tree.text(what, &findings).map(SecretOrText.text) }
        let words = Vocabulary("{secret: NAME}, which can name no file and no variable", known: ["secret"])
        guard let fields = Fields(tree, words, &findings),
            let name = fields.required("secret", in: what, &findings)?.name("a secret's name", &findings)
        else { return nil }
        return .secret(name)
    }
}

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
