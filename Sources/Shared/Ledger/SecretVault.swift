import Synchronization

/// The keys of a deployment, read when they are needed first and again when a secret was sealed with a newer one.
///
/// A wrong or missing key is told by each secret that needs it and stops nothing else.
public final class SecretVault: Sendable {
    private let read: @Sendable () throws(SecretError) -> SecretKeyring
    private let known = Mutex<SecretKeyring?>(nil)

    /// Makes a vault.
    ///
    /// - Parameter read: reads the keys as they are now, say from a file; called from any thread.
    public init(_ read: @escaping @Sendable () throws(SecretError) -> SecretKeyring) { self.read = read }

    /// A vault without keys: opens what was never sealed.
    public static let keyless = SecretVault { () throws(SecretError) in .empty }

    /// Opens what a ledger keeps.
    public func open(_ stored: [UInt8], as secret: SecretName) throws(SecretError) -> [UInt8] {
        guard SecretKeyring.isSealed(stored) else { return stored }
        if let keys = known.withLock({ $0 }), keys.standing(of: stored) != .unknown {
            return try keys.open(stored, as: secret)
        }
        return try keys().open(stored, as: secret)
    }

    /// The keys as they are now.
    public func keys() throws(SecretError) -> SecretKeyring {
        let fresh = try read()
        known.withLock { $0 = fresh }
        return fresh
    }
}

/// A secret as the ledger keeps it.
public struct StoredSecret: Sendable, Hashable {
    /// Whose it is.
    public let secret: SecretName
    /// Its bytes, sealed or not.
    public let value: [UInt8]
    /// Makes one.
    public init(_ secret: SecretName, value: [UInt8]) { (self.secret, self.value) = (secret, value) }
}

/// What became of the secrets of a ledger when they were sealed anew.
public struct Resealing: Sendable, Equatable {
    /// How many were sealed with the newest key now, and how many were before.
    public var sealed = 0, alreadySealed = 0
    /// Those that no key here opens, each with why.
    public var unopened: [SecretError] = []
}

extension LedgerDesk {
    /// Seals with the newest key what is not, or only what is clear.
    ///
    /// May be interrupted and run again at any time, beside workers and `setSecret`: each secret is replaced by itself,
    /// unless somebody has set it meanwhile.
    public func resealSecrets(
        with keys: SecretKeyring, onlyClear: Bool = false
    ) throws(LedgerError) -> Resealing {
        var result = Resealing()
        for stored in try storedSecrets() {
            let standing = keys.standing(of: stored.value)
            if standing == .newest || onlyClear && standing == .older {
                result.alreadySealed += 1
                continue
            }
            let sealed: [UInt8]
            do throws(SecretError) {
                sealed = try keys.seal(keys.open(stored.value, as: stored.secret), as: stored.secret)
            } catch {
                result.unopened.append(error)
                continue
            }
            if try replaceSecret(stored, with: sealed) { result.sealed += 1 }
        }
        return result
    }
}
