import CarillonLedger
import Synchronization
import Testing

@Suite("Secrets: sealed outside of the ledger (P11)", .timeLimit(.minutes(5)))
struct SecretTests {
    private static let value = Array("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".utf8)
    private static let name = SecretName("hook-key", of: "vision")

    private func keyring(_ keys: String...) throws -> SecretKeyring {
        try SecretKeyring(parsing: keys.joined(separator: "\n"))
    }

    @Test("what was sealed opens, and nothing of it stands in the sealed bytes")
    func roundTrip() throws {
        let keys = try keyring(SecretKeyring.newKey())
        for value in [[], [10], Self.value, [UInt8](repeating: 7, count: 65_536)] {
            let sealed = try keys.seal(value, as: Self.name)
            #expect(try keys.open(sealed, as: Self.name) == value)
            #expect(SecretKeyring.isSealed(sealed) && keys.standing(of: sealed) == .newest)
        }
        let sealed = try keys.seal(Self.value, as: Self.name)
        #expect(try keys.seal(Self.value, as: Self.name) != sealed, "a nonce of its own each time")
        #expect(!sealed.indices.contains { sealed[$0...].starts(with: Self.value.prefix(6)) })
    }

    @Test("a sealed secret opens for its own workspace and name alone, and no bit of it can be changed")
    func binding() throws {
        let keys = try keyring(SecretKeyring.newKey())
        let sealed = try keys.seal(Self.value, as: Self.name)
        for other in [
            SecretName("hook-key", of: "speech"), SecretName("hook", of: "vision"),
            SecretName("n", of: "visionhook-key"),
            SecretName("visionhook-key", of: ""), SecretName("key", of: "visionhook-"),
        ] {
            #expect(throws: SecretError.self) { try keys.open(sealed, as: other) }
        }
        for index in sealed.indices where index >= 4 {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: SecretError.self, "byte \(index)") { try keys.open(changed, as: Self.name) }
        }
        for count in 12..<sealed.count {
            #expect(throws: SecretError.self) { try keys.open(Array(sealed.prefix(count)), as: Self.name) }
        }
    }

    @Test("the newest key seals and older ones still open")
    func rotation() throws {
        let (old, new) = (SecretKeyring.newKey(), SecretKeyring.newKey())
        let sealed = try keyring(old).seal(Self.value, as: Self.name)
        let both = try keyring("# the newest first", new, old)
        #expect(try both.open(sealed, as: Self.name) == Self.value)
        #expect(both.standing(of: sealed) == .older)
        let again = try both.seal(Self.value, as: Self.name)
        #expect(try keyring(new).open(again, as: Self.name) == Self.value)
        #expect(try keyring(old).standing(of: again) == .unknown)
        #expect(try keyring(new + "," + old).standing(of: sealed) == .older, "commas part keys, too")
    }

    @Test("a wrong key says which key is missing, and no key says where to name one")
    func wrongKey() throws {
        let sealed = try keyring(SecretKeyring.newKey()).seal(Self.value, as: Self.name)
        do {
            _ = try keyring(SecretKeyring.newKey()).open(sealed, as: Self.name)
            Issue.record("opened with a wrong key")
        } catch {
            #expect("\(error)".contains("hook-key of vision") && "\(error)".contains("the key of mark"))
        }
        #expect(throws: SecretError(.noKey, doing: "open secret \(Self.name)")) {
            try SecretKeyring.empty.open(sealed, as: Self.name)
        }
        #expect(throws: SecretError.self) { try SecretKeyring.empty.seal(Self.value, as: Self.name) }
    }

    @Test(
        "what is no key is refused without a word of it",
        arguments: [
            "", "# only words", "hunter2", "aHVudGVyMg==", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=x",
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY= hunter2",
        ])
    func badKeys(text: String) {
        do {
            _ = try SecretKeyring(parsing: text)
            Issue.record("read as a key")
        } catch {
            #expect(error.kind == .badKey)
            #expect(!error.description.contains("hunter2") && error.description.contains("openssl rand"))
        }
    }

    @Test("clear secrets of an older version are sealed, each once, and what no key opens is told and left")
    func migration() throws {
        let bed = try Backend.file.make()
        let desk = try bed.open()
        let (key, foreign) = (SecretKeyring.newKey(), try keyring(SecretKeyring.newKey()))
        let keys = try keyring(key)
        try desk.setSecret("old", of: "w", to: Self.value, now: bed.now)
        let lost = try foreign.seal(Self.value, as: SecretName("lost", of: "w"))
        try desk.setSecret("lost", of: "w", to: lost, now: bed.now)
        #expect(try keys.open(Self.value, as: SecretName("old", of: "w")) == Self.value, "as it was, until then")
        let first = try desk.resealSecrets(with: keys, onlyClear: true)
        #expect(first.sealed == 1 && first.unopened.count == 1)
        #expect(first.unopened.first?.description.contains("lost of w") == true)
        let stored = try #require(try desk.secret("old", of: "w"))
        #expect(try keys.open(stored, as: SecretName("old", of: "w")) == Self.value)
        #expect(try desk.resealSecrets(with: keys, onlyClear: true).sealed == 0)
        #expect(try desk.secret("lost", of: "w") == lost)
        let rotated = try keyring(SecretKeyring.newKey(), key)
        #expect(try desk.resealSecrets(with: rotated, onlyClear: true).sealed == 0)
        #expect(try desk.resealSecrets(with: rotated).sealed == 1)
        #expect(rotated.standing(of: try #require(try desk.secret("old", of: "w"))) == .newest)
    }

    @Test("a vault reads the keys again when a secret was sealed with one it has not seen")
    func vault() throws {
        let (old, new) = (SecretKeyring.newKey(), SecretKeyring.newKey())
        let text = KeyText(old)
        let vault = SecretVault { () throws(SecretError) in try SecretKeyring(parsing: text.text) }
        let sealed = try vault.keys().seal(Self.value, as: Self.name)
        let reads = text.reads
        #expect(try vault.open(sealed, as: Self.name) == Self.value && text.reads == reads)
        text.text = new + "\n" + old
        let fresh = try keyring(new).seal([1], as: Self.name)
        #expect(try vault.open(fresh, as: Self.name) == [1])
        #expect(try vault.open(sealed, as: Self.name) == Self.value)
        #expect(try SecretVault.keyless.open(Self.value, as: Self.name) == Self.value)
    }
}

/// The text of a key file that a test writes.
private final class KeyText: Sendable {
    private let state: Mutex<(text: String, reads: Int)>
    init(_ text: String) { state = Mutex((text, 0)) }
    var text: String {
        get {
            state.withLock { state in
                state.reads += 1
                return state.text
            }
        }
        set { state.withLock { $0.text = newValue } }
    }
    var reads: Int { state.withLock { $0.reads } }
}
