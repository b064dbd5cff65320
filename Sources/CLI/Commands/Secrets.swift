import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonRules
import Foundation

struct Secrets: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secrets",
        abstract: "Sets the secrets that rule documents name.",
        discussion: """
            A document says {secret: NAME}; the value is kept in the ledger, sealed (AES-256-GCM), and never shown \
            again. The key is that of secrets.key_file; without one, secrets.key in the home, which is made \
            (but for a ledger in PostgreSQL: all its hosts are given one key).

              openssl rand -base64 32 | sed 's/^/whsec_/' |
                carillon secrets set --workspace vision hook-key
              carillon secrets set --workspace vision hook-key < key.txt
              carillon secrets list --workspace vision
              carillon secrets rm --workspace vision hook-key
              carillon secrets rekey
            """,
        subcommands: [Set.self, List.self, Remove.self, Rekey.self])

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Sets a secret to the value on standard input.",
            discussion: """
                A secret is one line: the line break at its end is not part of it, another one is refused, as neither \
                a header nor an address can carry it; a certificate or key in PEM is set with --lines. On a terminal it \
                asks, without showing what is typed. Workers use the new value within two seconds.

                  printf %s "$TOKEN" | carillon secrets set --workspace vision ci
                  carillon secrets set --workspace vision --lines cert < cert.pem
                """)
        static let largest = 64 * 1024

        @Option(help: "Whose secret it is.") var workspace: String
        @Argument(help: "Its name in documents.") var name: String
        @Flag(help: "It has several lines, as PEM has.") var lines = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            let desk = try configuration.desk()
            try checkName()
            let value = try isatty(STDIN_FILENO) == 1 ? ask() : read()
            guard !value.isEmpty else {
                throw Failure.usage("standard input is empty; pipe the secret's value into it")
            }
            let sealed = try configuration.sealingKeys(for: desk).seal(value, as: SecretName(name, of: workspace))
            try desk.setSecret(name, of: workspace, to: sealed, now: clock.now())
            Console.out("set \(printable(name)) of \(printable(workspace))")
        }

        /// The names that documents may say, and no others.
        private func checkName() throws(Failure) {
            if let fault = nameFault(name) { throw .usage("a secret's name \(fault)") }
            if let fault = nameFault(workspace) { throw .usage("a workspace's name \(fault)") }
        }

        private func read() throws -> [UInt8] {
            let value = [UInt8]((try? FileHandle.standardInput.read(upToCount: Self.largest + 1)) ?? Data())
            guard value.count <= Self.largest else { throw Failure.usage("a secret has at most 64 KiB") }
            return try SecretText.value(of: value, hasLines: lines)
        }

        private func ask() throws -> [UInt8] {
            guard let typed = unsafe getpass("Value of \(name) (not shown): ") else {
                throw Failure("the terminal cannot be read; pipe the value into standard input")
            }
            return try SecretText.value(of: unsafe Array(String(cString: typed).utf8))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists the names of a workspace's secrets, when each was set, and how it is sealed.",
            discussion: """
                The column key says which key a secret is sealed with: the newest, an older one (rekey seals it anew), \
                one that is unknown here, so that no worker opens it, or none (clear).

                  carillon secrets list --workspace vision -o json
                """)
        @Option(help: "Whose secrets.") var workspace: String
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            let desk = try configuration.desk()
            let keys = try configuration.secretKeys()
            let stored = try desk.storedSecrets().map { ($0.secret, keys.standing(of: $0.value).rawValue) }
            let standings = Dictionary(stored, uniquingKeysWith: { first, _ in first })
            var list = Listing(columns: ["name", "set", "key"])
            for secret in try desk.secrets(of: workspace) {
                let key = standings[SecretName(secret.name, of: workspace)] ?? "unknown"
                list.add(
                    [printable(secret.name), secret.set.rfc3339, key],
                    [.string("name", secret.name), .time("set", secret.set.milliseconds), .string("key", key)])
            }
            list.print(listing.format, empty: "no secrets in \(printable(workspace))")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Forgets a secret.",
            discussion: "  carillon secrets rm --workspace vision hook-key")
        @Option(help: "Whose secret it is.") var workspace: String
        @Argument(help: "Its name in documents.") var name: String
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            guard try desk.removeSecret(name, of: workspace, now: clock.now()) else {
                throw Failure(
                    "there is no secret \(printable(name)) in \(printable(workspace)); `carillon secrets list` names them"
                )
            }
            Console.out("removed \(printable(name)) of \(printable(workspace))")
        }
    }

    struct Rekey: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rekey",
            abstract: "Seals every secret with the newest key.",
            discussion: """
                To replace a key: put the new one above the old one in the key file of every host, then rekey, then \
                take the old one out. Workers read the file again when they meet a secret of a newer key. May be \
                interrupted and run again. Exit code 3 when a secret opens with none of the keys; it stays as it is.

                  (openssl rand -base64 32; cat secrets.key) > new.key
                  mv new.key secrets.key
                  carillon secrets rekey
                """)
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            let desk = try configuration.desk()
            let result = try desk.resealSecrets(with: configuration.sealingKeys(for: desk))
            for error in result.unopened { Console.error("carillon: \(printable("\(error)", limit: 1000))") }
            Console.out(
                "sealed \(result.sealed) secrets with the newest key; \(result.alreadySealed) were, "
                    + "\(result.unopened.count) could not be opened")
            if !result.unopened.isEmpty { throw Failure.problemsFound }
        }
    }
}

/// What a secret may be: one line of text, or several where that is asked for.
enum SecretText {
    /// The secret in an input: without the one line break that ends a line.
    ///
    /// - Throws: when there are more, or a NUL: no header and no address could carry it, and every delivery would fail.
    static func value(of input: [UInt8], hasLines: Bool = false) throws(Failure) -> [UInt8] {
        var value = input
        guard !hasLines else { return try text(value) }
        if value.last == 0x0A { value.removeLast() }
        if value.count < input.count, value.last == 0x0D { value.removeLast() }
        if value.contains(0x0A) || value.contains(0x0D) {
            throw .usage(
                "a secret is one line, and this has several; give the line that is the secret, or --lines for PEM")
        }
        return try text(value)
    }

    private static func text(_ value: [UInt8]) throws(Failure) -> [UInt8] {
        guard !value.contains(0), String(validating: value, as: UTF8.self) != nil else {
            throw .usage("a secret is UTF-8 text without NUL; encode other bytes, with base64 for example")
        }
        return value
    }
}
