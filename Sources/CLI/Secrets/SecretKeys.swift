import CarillonLedger
import CarillonPlatform
import Foundation
import Logging

// The keys that tenants' secrets are sealed with: `secrets.key`, `secrets.key_file`, or, for a ledger of this machine when
// neither is set, a file in the home that is made when it is needed first.

extension Configuration {
    /// The key file nobody has to configure; `nil` for a ledger that others share, as each host would make its own.
    var ownKeyFile: String? { hasOwnLedger ? home + "/secrets.key" : nil }

    private var hasOwnLedger: Bool { values.text("ledger.kind") == "sqlite" }
    private var hasConfiguredKey: Bool {
        values.all["secrets.key"] != nil || values.all[Settings.fileForm(of: "secrets.key")] != nil
    }

    /// What opens the secrets in the ledger; reads the key file again when a secret asks for a newer key.
    func vault() -> SecretVault {
        let configuration = self
        return SecretVault { () throws(SecretError) in try configuration.secretKeys() }
    }

    /// The keys as they are now; none when none is configured and the home has none yet.
    func secretKeys() throws(SecretError) -> SecretKeyring {
        if hasConfiguredKey {
            let text: MaskedText?
            do throws(Failure) { text = try values.secret("secrets.key") } catch {
                throw SecretError(.unreadable(error.lines.joined(separator: "; ")), doing: "read the secrets' keys")
            }
            return try text.map { text throws(SecretError) in try SecretKeyring(parsing: text.clear) } ?? .empty
        }
        guard let file = ownKeyFile, FileManager.default.fileExists(atPath: file) else { return .empty }
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: file)) else {
            throw SecretError(.unreadable("\(file) cannot be read"), doing: "read the secrets' keys")
        }
        return try SecretKeyring(parsing: String(decoding: data, as: UTF8.self))
    }

    /// The keys to seal with, the home's own being made when there is none.
    ///
    /// - Throws: when a key has to be configured, or when the home's own was lost: a new one would open nothing of what
    ///   the ledger holds.
    func sealingKeys(for desk: any LedgerDesk) throws -> SecretKeyring {
        let keys = try secretKeys()
        guard keys.isEmpty else { return keys }
        guard let file = ownKeyFile else {
            throw Failure(
                "no key to seal secrets with; name one for all hosts that share the ledger: "
                    + "openssl rand -base64 32 > FILE, and secrets.key_file: FILE")
        }
        let sealed = try desk.storedSecrets().count { SecretKeyring.isSealed($0.value) }
        guard sealed == 0 else {
            throw Failure(
                "\(sealed) secrets are sealed and \(file) is gone; restore it, or make a new one "
                    + "(openssl rand -base64 32) and set these secrets again")
        }
        let folder = (file as NSString).deletingLastPathComponent
        try CarillonPlatform.Folder.make(folder)
        let text = "# The newest key first; `carillon secrets rekey` seals with it.\n\(SecretKeyring.newKey())\n"
        _ = try CarillonPlatform.Folder.makePrivateFile(file, holding: Array(text.utf8))
        return try secretKeys()
    }

    /// Seals what an older version kept in the clear; says in the log what came of it, and stops nothing.
    func sealClearSecrets() {
        let logger = Log.logger("carillon.secrets")
        do {
            let desk = try desk()
            let stored = try desk.storedSecrets()
            let isClear = stored.contains { !SecretKeyring.isSealed($0.value) }
            let keys = isClear ? try sealingKeys(for: desk) : try secretKeys()
            let result = try desk.resealSecrets(with: keys, onlyClear: true)
            if result.sealed > 0 {
                logger.notice("sealed secrets that were clear", metadata: ["n": "\(result.sealed)"])
            }
            for error in result.unopened { logger.error("\(error)") }
        } catch let failure as Failure {
            logger.error("secrets are not sealed: \(failure.lines.joined(separator: "; "))")
        } catch {
            logger.error("secrets are not sealed: \(error)")
        }
    }
}
