// Reading `endpoints:`. What a webhook may be told is checked here, where line and column are known; whether an address
// is inside the network is checked when it is called.

/// The names of channels, which no endpoint may take.
enum ChannelNames {
    static let people = ["mail", "sms", "voice", "inbox"]
    static let kinds = EndpointKind.allCases.map(\.rawValue) + EndpointKind.later
}

/// An endpoint as its document has it.
struct EndpointDraft {
    let name: String
    let place: Place
    /// `nil` when something in it was reported.
    let spec: EndpointSpec?
    /// The limits it sets itself.
    var quota: [PlacedLimit] = []

    /// Whether it opens incidents, or is too faulty to tell.
    var mayHaveIncidents: Bool { spec?.hasIncidents ?? true }
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
        let (spec, quota) = EndpointReading(name: key.name, place: key.place).spec(value, &findings)
        return EndpointDraft(name: key.name, place: key.place, spec: fault == nil ? spec : nil, quota: quota)
    }
}

private func endpointNameFault(_ name: String) -> String? {
    if let fault = nameFault(name) { return "an endpoint's name \(fault)" }
    if name.hasPrefix("$") { return "an endpoint's name does not begin with '$', which stands for people" }
    if (ChannelNames.people + ChannelNames.kinds).contains(name) {
        return "'\(name)' is the name of a channel; an endpoint needs another"
    }
    if let channel = ChannelNames.people.first(where: { name.hasPrefix($0 + "/") }) {
        return "an endpoint's name does not begin with '\(channel)/', as targets do that are people"
    }
    return nil
}

private struct EndpointReading {
    let name: String
    let place: Place

    private enum Method: String, CaseIterable {
        case post = "POST", put = "PUT", patch = "PATCH", get = "GET", delete = "DELETE"
    }

    /// What an endpoint of a kind may say; of an unknown kind, what any may.
    private static func vocabulary(_ kind: EndpointKind?) -> Vocabulary {
        let kinds = kind.map { [$0] } ?? EndpointKind.allCases
        let short = kinds.filter(\.hasAddress).map(\.rawValue)
        var keys: [String] = []
        for key in ["kind"] + short + kinds.flatMap(\.keys) where !keys.contains(key) { keys.append(key) }
        let later = Dictionary(
            uniqueKeysWithValues: EndpointKind.later.map { ($0, "this kind of endpoint") })
        return Vocabulary(kind.map { "an endpoint of kind \($0)" } ?? "an endpoint", known: keys, later: later)
    }

    /// The kind that the document means, without a word about what is wrong with it.
    private static func meant(_ tree: Tree) -> (kind: EndpointKind, isShort: Bool)? {
        guard case .mapping(let pairs) = tree.content else { return nil }
        for (key, value) in pairs where key.scalar?.text == "kind" {
            return value.scalar.flatMap { EndpointKind(rawValue: $0.text) }.map { ($0, false) }
        }
        for (key, _) in pairs {
            if let kind = key.scalar.flatMap({ EndpointKind(rawValue: $0.text) }), kind.hasAddress {
                return (kind, true)
            }
        }
        return nil
    }

    func spec(_ tree: Tree, _ findings: inout Findings) -> (spec: EndpointSpec?, quota: [PlacedLimit]) {
        let meant = Self.meant(tree)
        guard let fields = Fields(tree, Self.vocabulary(meant?.kind), &findings),
            let kind = self.kind(fields, meant, &findings)
        else { return (nil, []) }
        let quota = fields["quota"].map { $0.limits("'quota'", &findings) } ?? []
        let spec = spec(fields, kind, quota?.map(\.limit), &findings)
        return (spec, quota ?? [])
    }

    private func spec(
        _ fields: Fields, _ kind: EndpointKind, _ quota: [QuotaLimit]?, _ findings: inout Findings
    ) -> EndpointSpec? {
        var url: SecretOrText? = .text("")
        if kind.hasAddress { url = (fields["url"] ?? fields[kind.rawValue]).flatMap { self.url($0, &findings) } }
        let credential = self.credential(fields, kind, &findings)
        let secrets = fields["secret"].map { self.secrets($0, &findings) } ?? []
        let method = fields["method"].map { $0.word("'method'", as: Method.self, &findings) } ?? .post
        let form = self.form(fields, kind, &findings)
        let hasBody = form?.body != nil
        let headers = fields["headers"].map { self.headers($0, namesType: hasBody, &findings) } ?? []
        let mentions = fields["at"].map { Mentions($0, of: kind, &findings) } ?? Mentions()
        let verify = fields["verify_ssl"].map { $0.bool("'verify_ssl'", &findings) } ?? true
        let wire = EndpointWireReading.wire(fields, &findings)
        let retry = fields["retry"].map { EndpointRetryReading.retry($0, &findings) }
        if verify == false, wire.authorities != nil {
            findings.warn("'ca' has no use while verify_ssl is false", at: fields.place(of: "ca"))
        }
        guard let url, let method, let verify, let form, let mentions, let quota, credential != .some(nil),
            retry != .some(nil)
        else { return nil }
        return EndpointSpec(
            name: name, kind: kind.rawValue, url: url, secrets: secrets, headers: headers, method: method.rawValue,
            verifySSL: verify, wire: wire, credential: credential.flatMap(\.self), format: form.format, body: form.body,
            mentions: mentions, retry: retry.flatMap(\.self), quota: quota, file: place.source.file, line: place.line)
    }

    /// The kind, when it and the address it needs, or their shorthand, are there.
    private func kind(
        _ fields: Fields, _ meant: (kind: EndpointKind, isShort: Bool)?, _ findings: inout Findings
    ) -> EndpointKind? {
        if let meant, meant.isShort || fields[meant.kind.rawValue] != nil {
            for other in ["kind", "url"] where fields[other] != nil {
                findings.report(
                    "'\(meant.kind)' stands for kind and url, so '\(other)' is too much", at: fields.place(of: other))
                return nil
            }
            return meant.kind
        }
        guard fields["kind"] != nil || !fields.hasUnbuilt,
            let tree = fields.required("kind", in: "endpoint '\(name.shortened)'", &findings),
            let kind = tree.word("'kind'", as: EndpointKind.self, later: EndpointKind.later, &findings)
        else { return nil }
        let needed = kind.hasAddress ? "url" : kind == .pagerduty ? "routing_key" : nil
        if let needed, fields.required(needed, in: "endpoint '\(name.shortened)'", &findings) == nil { return nil }
        return kind
    }

    /// How messages are written, and with what template; `nil` when something was reported.
    private func form(
        _ fields: Fields, _ kind: EndpointKind, _ findings: inout Findings
    ) -> (format: EndpointFormat, body: Template?)? {
        let named = fields[kind.formatKey].map { self.format($0, of: kind, &findings) }
        let body = fields["body"].map {
            $0.jinja("the body", &findings) { (text) throws(TemplateError) in try Template(text, for: .body) }
        }
        guard named != .some(nil), body != .some(nil) else { return nil }
        let format = named.flatMap(\.self) ?? (body == nil ? kind.formats.first ?? .standard : .body)
        guard (format == .body) == (body != nil) else {
            findings.report(
                body == nil
                    ? "the format 'body' needs 'body', the template"
                    : "'body' is for the format 'body', not '\(format.rawValue)'",
                at: fields.place(of: body == nil ? kind.formatKey : "body"))
            return nil
        }
        return (format, body.flatMap(\.self))
    }

    private func format(_ tree: Tree, of kind: EndpointKind, _ findings: inout Findings) -> EndpointFormat? {
        guard let text = tree.text("'\(kind.formatKey)'", &findings) else { return nil }
        if let format = EndpointFormat(rawValue: text), kind.formats.contains(format) { return format }
        let words = kind.formats.map(\.rawValue)
        findings.report(
            "'\(kind.formatKey)' is one of \(words.joined(separator: ", ")), not '\(text.shortened)'\(hint(text, words))",
            at: tree.place)
        return nil
    }

    private func credential(
        _ fields: Fields, _ kind: EndpointKind, _ findings: inout Findings
    ) -> SecretOrText?? {
        guard let key = kind.credentialKey, let tree = fields[key] else { return nil }
        guard let value = secretOrText("'\(key)'", tree, &findings) else { return .some(nil) }
        guard case .text(let text) = value else { return value }
        if let fault = ChannelKey.fault(of: text) {
            findings.report("'\(key)' \(fault)", at: tree.place)
            return .some(nil)
        }
        warnOfLiteral("'\(key)'", at: tree.place, &findings)
        return value
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

    private func headers(
        _ tree: Tree, namesType: Bool, _ findings: inout Findings
    ) -> [(name: String, value: SecretOrText)] {
        guard case .mapping(let pairs) = tree.content else {
            findings.report("'headers' is a mapping of names to values, not \(tree.kind)", at: tree.place)
            return []
        }
        if pairs.count > 32 {
            findings.report("an endpoint has at most 32 headers, not \(pairs.count)", at: tree.place)
        }
        var seen: Set<String> = []
        return keyed(pairs, &findings).compactMap { key, value in
            let isType = namesType && key.name.lowercased() == "content-type"
            if !isType, let fault = HeaderRules.fault(ofName: key.name) {
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
}
