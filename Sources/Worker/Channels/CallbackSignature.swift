import Crypto

// What providers put on a request of theirs, so that its receiver knows who sent it: Twilio's receipts, Slack's buttons,
// GitHub's hooks. Pure functions: whoever opens a door for one of them compares in constant time and looks at the moment.

/// The signatures of requests that providers send.
package enum CallbackSignature {
    /// Twilio's `X-Twilio-Signature`: the address as it was called, then each parameter of the form, by name.
    package static func twilio(url: String, form: [(name: String, value: String)], token: String) -> String {
        let sorted = form.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
        let text = url + sorted.map { $0.name + $0.value }.joined()
        let code = HMAC<Insecure.SHA1>.authenticationCode(for: Array(text.utf8), using: key(token))
        return Base64.text(Array(code))
    }

    /// Slack's `X-Slack-Signature` over its `X-Slack-Request-Timestamp` and the body.
    package static func slack(timestamp: String, body: [UInt8], secret: String) -> String {
        "v0=" + hex(HMAC<SHA256>.authenticationCode(for: Array("v0:\(timestamp):".utf8) + body, using: key(secret)))
    }

    /// GitHub's `X-Hub-Signature-256`.
    package static func github(body: [UInt8], secret: String) -> String {
        "sha256=" + hex(HMAC<SHA256>.authenticationCode(for: body, using: key(secret)))
    }

    /// Whether a signature that came is the one expected, in a time that says nothing about where they differ.
    package static func matches(_ given: String, _ expected: String) -> Bool {
        let (given, expected) = (Array(given.utf8), Array(expected.utf8))
        guard given.count == expected.count else { return false }
        return zip(given, expected).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func key(_ secret: String) -> SymmetricKey { SymmetricKey(data: Array(secret.utf8)) }

    private static func hex(_ code: some Sequence<UInt8>) -> String {
        code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
