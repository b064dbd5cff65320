import Crypto
import CarillonWorker
import Foundation

/// Checks the signature of a Standard Webhooks request.
struct SinkSignature: Sendable {
    /// What a request's signature is worth.
    enum Verdict: String, Sendable { case ok, bad, none }

    private let keys: [SymmetricKey]

    /// - Throws: when a secret is no `whsec_…`.
    init(secrets: [String]) throws(WebhookSecretError) {
        var keys: [SymmetricKey] = []
        for secret in secrets { keys.append(SymmetricKey(data: try WebhookSecret.parse(secret))) }
        self.keys = keys
    }

    /// Whether one of the signatures is one of our secrets' over this very request; `none` when there is no signature,
    /// or no secret to check with.
    func verdict(id: String, timestamp: String, signature: String, body: [UInt8]) -> Verdict {
        guard !signature.isEmpty, !keys.isEmpty else { return .none }
        let head = Array("\(id).\(timestamp).".utf8)
        for part in signature.split(separator: " ") where part.hasPrefix("v1,") {
            guard let code = Data(base64Encoded: String(part.dropFirst(3))) else { continue }
            for key in keys {
                var authentication = HMAC<SHA256>(key: key)
                authentication.update(data: head)
                authentication.update(data: body)
                // The comparison of authentication codes takes the same time wherever they differ.
                if authentication.finalize() == code { return .ok }
            }
        }
        return .bad
    }
}
