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
    private var known: [Place: Endpoint] = [:]
    private var revision: Revision = -1
    private let channels: [String: @Sendable (EndpointSpec) -> any Channel]

    /// - Parameter channels: by endpoint kind, what makes the channel of an endpoint.
    init(channels: [String: @Sendable (EndpointSpec) -> any Channel]) { self.channels = channels }

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
            let spec = book.rules(of: decided.workspace)?.endpoints[name] ?? decided.endpoints[name]
            guard let spec else { throw Unresolved(words: "endpoint \(name) is in no rule document") }
            let endpoint = try resolve(spec, of: decided.workspace, ledger)
            known[place] = endpoint
            return .success(endpoint)
        } catch let unresolved as Unresolved {
            return .failure(unresolved)
        } catch {
            return .failure(Unresolved(words: "\(error)"))
        }
    }

    func resolve(_ spec: EndpointSpec, of workspace: String, _ ledger: any Ledger) throws -> Endpoint {
        guard let channel = channels[spec.kind] else {
            throw Unresolved(words: "endpoint \(spec.name) is of kind \(spec.kind), which this worker does not speak")
        }
        func clear(_ value: SecretOrText) throws -> String {
            switch value {
            case .text(let text): return text
            case .secret(let name):
                guard let secret = try ledger.secret(name, of: workspace) else {
                    throw Unresolved(
                        words: "secret \(name) is not set [carillon secrets set --workspace \(workspace) \(name)]")
                }
                return String(decoding: secret, as: UTF8.self)
            }
        }
        // What a secret holds was never seen by `rules check`, so it is judged here.
        let url = try clear(spec.url)
        if let fault = WebAddress.fault(of: url) { throw Unresolved(words: "the address of \(spec.name): \(fault)") }
        let headers = try spec.headers.map { header in
            let value = try clear(header.value)
            if let fault = HeaderRules.fault(ofValue: value) {
                throw Unresolved(words: "header \(header.name) of \(spec.name): \(fault)")
            }
            return (name: header.name, value: value)
        }
        return Endpoint(
            name: spec.name, url: url, method: spec.method,
            secrets: try spec.secrets.map { try WebhookSecret.parse(clear($0)) }, headers: headers,
            verifiesTLS: spec.verifySSL,
            retry: spec.retry.flatMap { RetrySchedule.Name(rawValue: $0.rawValue) }.map { RetrySchedule($0) }, channel: channel(spec))
    }
}
