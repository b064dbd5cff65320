public import CarillonEvents
import Crypto

/// The signing secrets of Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes.
public enum WebhookSecret {
    /// Reads a secret as people paste it; white space around it, as of a file's last line, is ignored.
    public static func parse(_ text: String) throws(WebhookSecretError) -> [UInt8] {
        let trimmed = text.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        let prefix = "whsec_".utf8
        guard trimmed.starts(with: prefix) else { throw WebhookSecretError(problem: "it does not begin with whsec_") }
        guard let bytes = Base64.decode(Array(trimmed.dropFirst(prefix.count))) else {
            throw WebhookSecretError(problem: "what follows whsec_ is not base64")
        }
        guard (24...64).contains(bytes.count) else {
            throw WebhookSecretError(problem: "it holds \(bytes.count) bytes where 24 to 64 are asked for")
        }
        return bytes
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
}

/// What is wrong with a signing secret; never shows any of it.
public struct WebhookSecretError: Error, Sendable, CustomStringConvertible {
    let problem: String
    /// What is wrong, without the secret.
    public var description: String {
        "worker could not read the signing secret: \(problem) [whsec_ and base64 of 24 to 64 random bytes]"
    }
}

/// Checks what `WebhookChannel` signs, as a receiver does.
public enum WebhookSignature {
    /// How far a receiver's clock may stand from the timestamp.
    public static let tolerance = Duration.seconds(300)

    /// Whether one of the header's `v1` signatures was made by one of the secrets, within the tolerance of `now`.
    public static func verify(
        _ header: String, id: String, timestamp: String, body: [UInt8], secrets: [[UInt8]], now: Timestamp
    ) -> Bool {
        guard let seconds = Int64(timestamp), abs(now.milliseconds / 1000 - seconds) <= tolerance.components.seconds
        else { return false }
        let signed = Array("\(id).\(timestamp).".utf8) + body
        let codes = header.split(separator: " ").filter { $0.hasPrefix("v1,") }
            .compactMap { Base64.decode(Array($0.dropFirst(3).utf8)) }
        return secrets.contains { secret in
            let key = SymmetricKey(data: secret)
            return codes.contains { HMAC<SHA256>.isValidAuthenticationCode($0, authenticating: signed, using: key) }
        }
    }
}

/// Signs with one secret.
///
/// The key's schedule is done once; a signature copies it.
package struct WebhookSigner: Sendable {
    private let keyed: HMAC<SHA256>

    package init(secret: [UInt8]) { keyed = HMAC(key: SymmetricKey(data: secret)) }

    /// Appends `v1,<base64>` over what is signed: `id.timestamp.body`.
    func append(to header: inout [UInt8], signing text: [UInt8]) {
        var code = keyed
        // At once and as raw memory, of which the digest takes the one piece there is; an array it would ask for its pieces.
        unsafe text.withUnsafeBytes { unsafe code.update(data: $0) }
        header.append(contentsOf: [UInt8(ascii: "v"), UInt8(ascii: "1"), UInt8(ascii: ",")])
        unsafe code.finalize().withUnsafeBytes { unsafe Base64.append(Array($0), to: &header) }
    }
}

/// Base64 with the standard alphabet and padding.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        var index = 0
        while index < bytes.count {
            let second = index + 1 < bytes.count ? bytes[index + 1] : 0
            let third = index + 2 < bytes.count ? bytes[index + 2] : 0
            let group = Int(bytes[index]) << 16 | Int(second) << 8 | Int(third)
            text.append(alphabet[group >> 18])
            text.append(alphabet[group >> 12 & 63])
            text.append(index + 1 < bytes.count ? alphabet[group >> 6 & 63] : UInt8(ascii: "="))
            text.append(index + 2 < bytes.count ? alphabet[group & 63] : UInt8(ascii: "="))
            index += 3
        }
    }

    /// The bytes of a text; `nil` unless it is exactly what `append` would write for them, but for absent padding.
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        let end = text.lastIndex { $0 != UInt8(ascii: "=") }.map { $0 + 1 } ?? 0
        let padding = text.count - end
        guard padding == 0 || padding <= 2 && text.count.isMultiple(of: 4) else { return nil }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var held = 0
        for letter in text[..<end] {
            guard let value = alphabet.firstIndex(of: letter) else { return nil }
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        guard held < 6, bits & (1 << UInt32(held) - 1) == 0 else { return nil }
        return bytes
    }
}

extension Base64 {
    /// The bytes as text.
    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        append(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
