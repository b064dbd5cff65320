import Crypto

// Identity: 128-bit hashes over length-delimited parts, frozen by golden vectors in the tests.
// A part is its length as eight little-endian bytes and then its bytes, so no two lists of parts collide by gluing.
// SHA-256, cut to 16 bytes: tenants choose the parts, so the hash has to resist them.

/// The identity of an event, a delivery or an incident.
public struct Key: Sendable, Hashable {
    /// The first and the last eight bytes, big-endian.
    public let high, low: UInt64

    /// Makes a key from its two halves.
    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// Half of the key as a number, by which pairs are found.
    public var number: Int64 { Int64(bitPattern: low) }

    /// The key as 32 lower-case hexadecimal digits: the `webhook-id`.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return unsafe String(unsafeUninitializedCapacity: 32) { buffer in
            for i in 0..<16 {
                let shift = UInt64(60 - 4 * i)
                unsafe buffer[i] = digits[Int(high >> shift & 15)]
                unsafe buffer[i + 16] = digits[Int(low >> shift & 15)]
            }
            return 32
        }
    }

    /// Reads 32 hexadecimal digits; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}

extension Key: CustomStringConvertible {}

/// Hashes parts into keys.
public struct KeyHasher {
    private var hash = SHA256()

    /// Starts a hash of one kind of thing, so that an event and a delivery never share a key.
    public init(_ kind: String) { add(kind) }

    /// Adds one part.
    public mutating func add(_ part: Span<UInt8>) {
        var count = UInt64(part.count).littleEndian
        unsafe withUnsafeBytes(of: &count) { unsafe hash.update(bufferPointer: $0) }
        unsafe part.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    }

    /// Adds one part.
    public mutating func add(_ part: String) {
        var part = part
        part.withUTF8 { unsafe add(Span(_unsafeElements: $0)) }
    }

    /// Adds a key as a part.
    public mutating func add(_ key: Key) {
        var count = UInt64(16).littleEndian
        unsafe withUnsafeBytes(of: &count) { unsafe hash.update(bufferPointer: $0) }
        var halves = (key.high.bigEndian, key.low.bigEndian)
        unsafe withUnsafeBytes(of: &halves) { unsafe hash.update(bufferPointer: $0) }
    }

    /// The key of the parts so far.
    public func key() -> Key {
        unsafe hash.finalize().withUnsafeBytes { bytes in
            unsafe Key(
                high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }
}

extension Key {
    /// An event is its workspace, source and id, whatever its time or body.
    public static func event(workspace: Span<UInt8>, source: Span<UInt8>, id: Span<UInt8>) -> Key {
        var hasher = KeyHasher("event")
        hasher.add(workspace)
        hasher.add(source)
        hasher.add(id)
        return hasher.key()
    }

    /// A delivery of a notification of one: the event, the rule's identity and the target's name.
    ///
    /// - Parameter isEverywhere: whether it is a rule for every workspace; one of the event's own may have its name.
    public static func delivery(event: Key, rule: String, target: String, isEverywhere: Bool = false) -> Key {
        var hasher = KeyHasher(isEverywhere ? "delivery everywhere" : "delivery")
        hasher.add(event)
        hasher.add(rule)
        hasher.add(target)
        return hasher.key()
    }

    /// The window of a rule for events that are news of the same thing: the values of the rule's fields, with their
    /// paths.
    public static func window(
        workspace: String, rule: String, values: [(path: String, value: [UInt8])]
    ) -> Key {
        key("window", workspace: workspace, rule: rule, values: values)
    }

    /// An incident of a rule: the values of the rule's fields, with their paths.
    public static func incident(
        workspace: String, rule: String, values: [(path: String, value: [UInt8])]
    ) -> Key {
        key("incident", workspace: workspace, rule: rule, values: values)
    }

    /// What a rule makes of the values of its fields.
    static func key(
        _ kind: String, workspace: String, rule: String, values: [(path: String, value: [UInt8])]
    ) -> Key {
        var hasher = KeyHasher(kind)
        hasher.add(workspace)
        hasher.add(rule)
        for (path, value) in values {
            hasher.add(path)
            hasher.add(value.span)
        }
        return hasher.key()
    }

    /// The pair that is kept in order: a workspace's target and the subject.
    ///
    /// - Parameter isEverywhere: whether the target is that of a rule for every workspace; the subject is the workspace's.
    public static func pair(workspace: String, target: String, subject: String, isEverywhere: Bool = false) -> Key {
        var hasher = KeyHasher(isEverywhere ? "pair everywhere" : "pair")
        hasher.add(workspace)
        hasher.add(target)
        hasher.add(subject)
        return hasher.key()
    }
}
