import Crypto
import FoundationEssentials

// Secrets at rest. A ledger keeps bytes and knows nothing of this: what stands in it was sealed before it came there, so
// every backend is served, and a copy of the ledger without the key holds no secret.
//
// A sealed secret is `00 43 53 01`, the key's mark (8 bytes), a nonce (12), the text and its tag (16), by AES-256-GCM. A
// secret is text without NUL, so what begins otherwise was stored before there were keys. Workspace and name are bound to
// the seal: a row copied to another place opens nowhere.

/// Whose secret, and how documents call it.
public struct SecretName: Sendable, Hashable, CustomStringConvertible {
    /// The workspace.
    public let workspace: String
    /// Its name in documents.
    public let name: String
    /// Makes one.
    public init(_ name: String, of workspace: String) { (self.workspace, self.name) = (workspace, name) }
    /// "hook-key of vision".
    public var description: String { "\(name) of \(workspace)" }
}

/// The keys that secrets are sealed with: the first seals, each opens what it has sealed.
public struct SecretKeyring: Sendable {
    private let keys: [SealingKey]

    /// No keys: opens what was never sealed, seals nothing.
    public static let empty = SecretKeyring(keys: [])

    private init(keys: [SealingKey]) { self.keys = keys }

    /// Reads keys: base64 of 32 bytes each, apart by white space or commas, the newest first.
    ///
    /// A line that begins with `#` says nothing.
    public init(parsing text: String) throws(SecretError) {
        var keys: [SealingKey] = []
        for line in text.split(whereSeparator: \.isNewline) where line.first(where: { !$0.isWhitespace }) != "#" {
            for word in line.split(whereSeparator: { $0.isWhitespace || $0 == "," }) {
                guard let bytes = Data(base64Encoded: String(word)), bytes.count == 32 else {
                    throw SecretError(.badKey, doing: "read key \(keys.count + 1) of the secrets' keys")
                }
                keys.append(SealingKey(SymmetricKey(data: bytes)))
            }
        }
        guard !keys.isEmpty else { throw SecretError(.badKey, doing: "read the secrets' keys") }
        self.init(keys: keys)
    }

    /// The text of a new key, as a key file has it.
    public static func newKey() -> String {
        unsafe SymmetricKey(size: .bits256).withUnsafeBytes { unsafe Data($0).base64EncodedString() }
    }

    /// Whether there is no key.
    public var isEmpty: Bool { keys.isEmpty }

    /// Seals with the newest key.
    public func seal(_ value: [UInt8], as secret: SecretName) throws(SecretError) -> [UInt8] {
        guard let key = keys.first else { throw SecretError(.noKey, doing: "seal \(secret)") }
        let head = SealedForm.head(of: key)
        do {
            let box = try AES.GCM.seal(value, using: key.key, authenticating: SealedForm.binding(head, secret))
            guard let sealed = box.combined else { throw SecretError(.damaged, doing: "seal \(secret)") }
            return head + sealed
        } catch { throw SecretError(.damaged, doing: "seal \(secret)") }
    }

    /// Opens what a ledger keeps; what was never sealed is as it is.
    public func open(_ stored: [UInt8], as secret: SecretName) throws(SecretError) -> [UInt8] {
        guard let mark = SealedForm.mark(of: stored) else { return stored }
        guard let key = keys.first(where: { $0.mark == mark }) else {
            throw SecretError(keys.isEmpty ? .noKey : .unknownKey(mark.hex), doing: "open secret \(secret)")
        }
        let (head, sealed) = (Array(stored.prefix(SealedForm.headCount)), stored.dropFirst(SealedForm.headCount))
        do {
            let box = try AES.GCM.SealedBox(combined: sealed)
            return Array(try AES.GCM.open(box, using: key.key, authenticating: SealedForm.binding(head, secret)))
        } catch { throw SecretError(.damaged, doing: "open secret \(secret)") }
    }

    /// How a stored secret stands with these keys.
    public func standing(of stored: [UInt8]) -> SecretStanding {
        guard let mark = SealedForm.mark(of: stored) else { return .clear }
        return keys.first?.mark == mark ? .newest : keys.contains { $0.mark == mark } ? .older : .unknown
    }

    /// Whether the bytes were sealed, with whatever key.
    public static func isSealed(_ stored: [UInt8]) -> Bool { SealedForm.mark(of: stored) != nil }
}

/// How a stored secret stands with the keys at hand.
public enum SecretStanding: String, Sendable {
    /// Sealed with the newest key.
    case newest
    /// Sealed with one of the older keys.
    case older
    /// Sealed with a key that is not here.
    case unknown
    /// Not sealed.
    case clear
}

private struct SealingKey: Sendable {
    let key: SymmetricKey
    /// Which key it is, saying nothing about it.
    let mark: [UInt8]

    init(_ key: SymmetricKey) {
        self.key = key
        mark = Array(HMAC<SHA256>.authenticationCode(for: Array("carillon secrets: mark of a key".utf8), using: key))
            .prefix(SealedForm.markCount).map(\.self)
    }
}

private enum SealedForm {
    static let start: [UInt8] = [0x00, 0x43, 0x53, 0x01]
    static let markCount = 8
    static let headCount = start.count + markCount

    static func head(of key: SealingKey) -> [UInt8] { start + key.mark }

    static func mark(of stored: [UInt8]) -> [UInt8]? {
        guard stored.starts(with: start), stored.count >= headCount else { return nil }
        return Array(stored[start.count..<headCount])
    }

    /// What the seal vouches for beside the text: its own head, and whose secret it is.
    static func binding(_ head: [UInt8], _ secret: SecretName) -> [UInt8] {
        var bytes = head
        for part in [secret.workspace, secret.name] {
            let count = UInt32(truncatingIfNeeded: part.utf8.count)
            bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
            bytes += part.utf8
        }
        return bytes
    }
}

extension [UInt8] {
    fileprivate var hex: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// Why a secret could not be sealed or opened; never shows any of it.
public struct SecretError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of the failure.
    public enum Kind: Sendable, Equatable {
        /// No key is configured.
        case noKey
        /// It was sealed with a key that is not here; the mark says which.
        case unknownKey(String)
        /// A key is not base64 of 32 bytes, or there is none in what should hold some.
        case badKey
        /// The key file cannot be read or written.
        case unreadable(String)
        /// The seal does not fit: the bytes were changed, or belong to another workspace or name.
        case damaged
    }
    /// The class of the failure.
    public let kind: Kind
    /// What was attempted.
    public let doing: String
    /// Makes one.
    public init(_ kind: Kind, doing: String) { (self.kind, self.doing) = (kind, doing) }

    /// One line: what was attempted, why it did not happen, what helps.
    public var description: String {
        let why =
            switch kind {
            case .noKey: "there is no key [secrets.key in the home, or secrets.key_file]"
            case .unknownKey(let mark):
                "it is sealed with the key of mark \(mark), which is not here [add that key to the key file]"
            case .badKey: "a key is the base64 of 32 bytes [openssl rand -base64 32]"
            case .unreadable(let cause): "the key file cannot be used [\(cause)]"
            case .damaged: "the seal does not fit: the row was changed or copied [set the secret again]"
            }
        return "secrets could not \(doing): \(why)"
    }
}
