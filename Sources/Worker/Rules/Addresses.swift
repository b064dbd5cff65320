import CarillonLedger
import CarillonRules

/// Addresses and secrets, resolved when something is sent: from the rules in force, or, when those have lost the target
/// (`apply --keep-pending`), from the rules that decided.
///
/// Kept until the rules or secrets change.
struct Addresses {
    private struct Place: Hashable {
        let workspace, name: String
    }
    /// Why an address could not be made.
    struct Unresolved: Error, CustomStringConvertible {
        let words: String
        var description: String { words }
    }
    private static let mostKnown = 50_000
    private var known: [Place: Endpoint] = [:]
    private var revision: Revision = -1
    private let channels: [String: @Sendable (EndpointSpec) -> any Channel]
    private let people: [String: any Channel]
    private let retry: RetrySchedule
    private let vault: SecretVault

    /// - Parameters:
    ///   - channels: by endpoint kind, what makes the channel of an endpoint.
    ///   - people: the channels that reach people, by their names.
    ///   - vault: opens what the ledger keeps.
    ///   - retry: the deployment's schedule, which is also what an endpoint's own leaves out.
    init(
        channels: [String: @Sendable (EndpointSpec) -> any Channel], people: [String: any Channel], vault: SecretVault,
        retry: RetrySchedule = RetrySchedule()
    ) {
        (self.channels, self.people, self.vault, self.retry) = (channels, people, vault, retry)
    }

    mutating func endpoint(
        _ name: String, of decided: WorkspaceRules, in book: RuleBook, _ ledger: any Ledger
    ) -> Result<Endpoint, Unresolved> {
        if revision != book.revision {
            known = [:]
            revision = book.revision
        }
        let place = Place(workspace: decided.workspace, name: name)
        if let endpoint = known[place] { return .success(endpoint) }
        do {
            let current = book.rules(of: decided.workspace)
            let endpoint =
                if let spec = current?.endpoints[name] ?? decided.endpoints[name] {
                    try resolve(spec, of: decided.workspace, ledger)
                } else if let reach = current?.reach(name) ?? decided.reach(name) {
                    try person(reach)
                } else {
                    throw Unresolved(words: "\(name) is in no rule document")
                }
            if known.count >= Self.mostKnown { known = [:] }
            known[place] = endpoint
            return .success(endpoint)
        } catch let unresolved as Unresolved {
            return .failure(unresolved)
        } catch {
            return .failure(Unresolved(words: "\(error)"))
        }
    }

    /// A person on a channel of the deployment.
    private func person(_ reach: Reach) throws -> Endpoint {
        guard let channel = people[reach.channel.rawValue] else {
            throw Unresolved(words: "the channel \(reach.channel) is not offered by this worker's deployment")
        }
        return Endpoint(
            name: reach.target, url: "", secrets: [], headers: [], recipient: reach.address, channel: channel)
    }

    func resolve(_ spec: EndpointSpec, of workspace: String, _ ledger: any Ledger) throws -> Endpoint {
        guard let channel = channels[spec.kind] else {
            throw Unresolved(words: "endpoint \(spec.name) is of kind \(spec.kind), which this worker does not speak")
        }
        func clear(_ value: SecretOrText) throws -> String {
            switch value {
            case .text(let text): return text
            case .secret(let name):
                guard let stored = try ledger.secret(name, of: workspace) else {
                    throw Unresolved(
                        words: "secret \(name) is not set [carillon secrets set --workspace \(workspace) \(name)]")
                }
                let secret = try vault.open(stored, as: SecretName(name, of: workspace))
                return String(decoding: secret, as: UTF8.self)
            }
        }
        // What a secret holds was never seen by `rules check`, so it is judged here.
        let url = try clear(spec.url)
        if !url.isEmpty || spec.url != .text(""), let fault = WebAddress.fault(of: url) {
            throw Unresolved(words: "the address of \(spec.name): \(fault)")
        }
        let headers = try spec.headers.map { header in
            let value = try clear(header.value)
            if let fault = HeaderRules.fault(ofValue: value) {
                throw Unresolved(words: "header \(header.name) of \(spec.name): \(fault)")
            }
            return (name: header.name, value: value)
        }
        let credential = try spec.credential.map(clear)
        if let credential, let fault = ChannelKey.fault(of: credential) {
            throw Unresolved(words: "the key of \(spec.name) \(fault)")
        }
        return Endpoint(
            name: spec.name, url: url, method: spec.method,
            secrets: try spec.secrets.map { try WebhookSecret.parse(clear($0)) }, headers: headers,
            verifiesTLS: spec.verifySSL, wire: try wire(spec, clear), credential: credential,
            retry: spec.retry.flatMap { RetrySchedule($0, over: retry) },
            channel: channel(spec))
    }

    private func wire(_ spec: EndpointSpec, _ clear: (SecretOrText) throws -> String) throws -> WireTerms? {
        guard !spec.wire.isPlain else { return nil }
        func pem(_ part: SecretOrText?, _ what: String, _ kind: String) throws -> [UInt8]? {
            guard let text = try part.map(clear) else { return nil }
            if let fault = PEMText.fault(of: text, holding: kind) {
                throw Unresolved(words: "\(what) of \(spec.name) \(fault)")
            }
            return Array(text.utf8)
        }
        return WireTerms(
            authorities: try pem(spec.wire.authorities, "ca", "CERTIFICATE"),
            certificate: try pem(spec.wire.certificate, "client_cert", "CERTIFICATE"),
            key: try pem(spec.wire.key, "client_key", "PRIVATE KEY"), offersHTTP2: spec.wire.offersHTTP2)
    }
}
