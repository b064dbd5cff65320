import CarillonEvents
import CarillonLedger
import Foundation
import Glibc
import Testing

@testable import carillon

@Suite("Secrets on the command line: sealed at rest, never shown (P11)", .timeLimit(.minutes(5)))
struct SecretsSuite {
    private let tool: Tool
    private static let value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    init() throws {
        tool = try Tool()
        try tool.makeDeployment()
    }

    private func set(
        _ name: String, _ value: String = value, environment: [String: String] = [:]
    ) throws -> Tool.Result {
        try tool.run(
            ["secrets", "set", "--workspace", "vision", name], input: Array(value.utf8), environment: environment)
    }

    private func standings(environment: [String: String] = [:]) throws -> [String: String] {
        let listed = try tool.run(
            ["secrets", "list", "--workspace", "vision", "-o", "json"], environment: environment)
        try #require(listed.code == 0, "\(listed.error)")
        let rows = try JSONSerialization.jsonObject(with: Data(listed.out.utf8)) as? [[String: Any]] ?? []
        return Dictionary(uniqueKeysWithValues: rows.map { ($0["name"] as? String ?? "", $0["key"] as? String ?? "") })
    }

    /// Everything in the home, as bytes.
    private func home() throws -> [(name: String, bytes: Data)] {
        let names = FileManager.default.enumerator(atPath: tool.home)?.compactMap { $0 as? String } ?? []
        return names.compactMap { name in
            FileManager.default.contents(atPath: tool.home + "/" + name).map { (name, $0) }
        }
    }

    private func configuration(_ environment: [String: String] = [:]) throws -> Configuration {
        try ConfigurationSources(home: tool.home, environment: environment).load()
    }

    @Test("without a configured key the home gets one for its owner alone, and no file holds a secret in the clear")
    func ownKey() throws {
        let path = tool.home + "/secrets.key"
        #expect(!FileManager.default.fileExists(atPath: path), "only who has something to seal makes one")
        #expect(try set("a").code == 0)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let key = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try set("b").code == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == key)
        for (name, bytes) in try home() {
            #expect(bytes.range(of: Data(Self.value.utf8)) == nil, "\(name)")
            #expect(bytes.range(of: Data(Self.value.dropFirst(6).utf8)) == nil, "\(name)")
        }
        #expect(try standings() == ["a": "newest", "b": "newest"])
    }

    @Test("a key that was lost is not replaced behind anybody's back")
    func lostKey() throws {
        #expect(try set("a").code == 0)
        try FileManager.default.removeItem(atPath: tool.home + "/secrets.key")
        let refused = try set("b")
        #expect(refused.code == 1 && refused.error.contains("secrets.key is gone; restore it"), "\(refused.error)")
        #expect(!FileManager.default.fileExists(atPath: tool.home + "/secrets.key"))
        #expect(try standings() == ["a": "unknown"])
        #expect(try tool.run("worker", "--until-idle").code == 0, "all else goes on")
    }

    @Test("keys rotate: the newest seals, older ones open, and rekey makes them needless")
    func rotation() throws {
        let (old, new) = (SecretKeyring.newKey(), SecretKeyring.newKey())
        let file = try tool.file("keys", Array("\(old)\n".utf8))
        let environment = ["CARILLON_SECRETS_KEY_FILE": file]
        #expect(try set("a", environment: environment).code == 0)
        _ = try tool.file("keys", Array("# newest first\n\(new)\n\(old)\n".utf8))
        #expect(try set("b", environment: environment).code == 0)
        #expect(try standings(environment: environment) == ["a": "older", "b": "newest"])
        let rekeyed = try tool.run(["secrets", "rekey"], environment: environment)
        #expect(rekeyed.code == 0 && rekeyed.out.hasPrefix("sealed 1 secrets with the newest key; 1 were, 0 could"))
        #expect(try standings(environment: ["CARILLON_SECRETS_KEY": new]) == ["a": "newest", "b": "newest"])
        #expect(try standings(environment: ["CARILLON_SECRETS_KEY": old]) == ["a": "unknown", "b": "unknown"])
        let foreign = try tool.run(["secrets", "rekey"], environment: ["CARILLON_SECRETS_KEY": old])
        #expect(foreign.code == 3 && foreign.errors.count == 2 && foreign.error.contains("the key of mark"))
        let opened = try configuration(["CARILLON_SECRETS_KEY": new]).secretKeys()
        let stored = try configuration().desk().storedSecrets()
        #expect(
            try stored.map { String(decoding: try opened.open($0.value, as: $0.secret), as: UTF8.self) } == [
                Self.value, Self.value,
            ])
        #expect(!FileManager.default.fileExists(atPath: tool.home + "/secrets.key"))
    }

    @Test("a key that is none is refused without showing it", arguments: ["hunter2hunter2", "aHVudGVyMg=="])
    func badKey(key: String) throws {
        for environment in [
            ["CARILLON_SECRETS_KEY": key], ["CARILLON_SECRETS_KEY_FILE": try tool.file("bad", Array(key.utf8))],
        ] {
            let refused = try set("a", environment: environment)
            #expect(refused.code == 1 && refused.errors.count == 1 && refused.error.contains("openssl rand -base64 32"))
            #expect(!refused.error.contains(key))
        }
        let missing = try set("a", environment: ["CARILLON_SECRETS_KEY_FILE": "/nowhere/key"])
        #expect(missing.code == 1 && missing.error.contains("secrets.key_file names, cannot be read"))
    }

    @Test("what an older version kept in the clear is sealed by the next worker")
    func migration() throws {
        let desk = try configuration().desk()
        try desk.setSecret("old", of: "vision", to: Array(Self.value.utf8), now: clock.now())
        #expect(try standings() == ["old": "clear"])
        let worker = try tool.run("worker", "--until-idle")
        #expect(worker.code == 0 && worker.error.contains("sealed secrets that were clear"), "\(worker.error)")
        #expect(try standings() == ["old": "newest"])
        let stored = try #require(try desk.storedSecrets().first)
        let opened = try configuration().vault().open(stored.value, as: stored.secret)
        #expect(String(decoding: opened, as: UTF8.self) == Self.value)
        #expect(try !tool.run("worker", "--until-idle").error.contains("sealed secrets"))
    }

    @Test("PEM has lines, and is taken with --lines alone")
    func lines() throws {
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        let arguments = ["secrets", "set", "--workspace", "vision", "cert"]
        #expect(try tool.run(arguments, input: Array(pem.utf8)).code == 2)
        #expect(try tool.run(arguments + ["--lines"], input: Array(pem.utf8)).code == 0)
        let stored = try #require(try configuration().desk().storedSecrets().first)
        #expect(try configuration().secretKeys().open(stored.value, as: stored.secret) == Array(pem.utf8))
    }

    /// Secrets in every place where one may stand.
    private static let hidden = [
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "T0B0XYZ9-path-token", "q-s3cr3t-token", "h34der-value",
        "n4med-header-value", "p4ssw0rd-of-mail", SecretKeyring.newKey(), "n4med-url-token",
    ]

    private static func document(port: Int) -> String {
        """
        version: 1
        workspace: vision
        endpoints:
          hook:
            url: "http://127.0.0.1:\(port)/services/\(hidden[1])?key=\(hidden[2])"
            kind: webhook
            secret: \(hidden[0])
            headers: {Authorization: "Bearer \(hidden[3])", X-Key: {secret: named}}
          away: {kind: webhook, url: {secret: where}}
          twice: {kind: webhook, url: "http://127.0.0.1:1/\(hidden[1])", headers: {Authorization: {secret: bad}}}
        rules:
          - {name: failures, events: [job.failed], notify: [hook, away, twice]}
        """
    }

    @Test("no secret of a document, a store or a configuration appears in anything that is said")
    func masked() throws {
        let secrets = Self.hidden
        let sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0", "--fail", "500:1"])
        let environment = [
            "CARILLON_CHANNELS_MAIL_URL": "smtp://127.0.0.1:1", "CARILLON_CHANNELS_MAIL_FROM": "c@example.com",
            "CARILLON_CHANNELS_MAIL_USERNAME": "carillon",
            "CARILLON_CHANNELS_MAIL_PASSWORD": secrets[5], "CARILLON_SECRETS_KEY": secrets[6],
            "CARILLON_DELIVERY_SSRF_EXEMPT": "127.0.0.0/8", "CARILLON_LOGGING_LEVEL": "trace",
            "CARILLON_DELIVERY_RETRY_GIVE_UP_AFTER": "0s",
        ]
        var said = ""
        func run(_ arguments: String..., input: String = "") throws {
            let result = try tool.run(arguments, input: Array(input.utf8), environment: environment)
            said += result.out + result.error
        }
        let rules = try tool.file("rules.yaml", Array(Self.document(port: sink.address.port).utf8))
        try run("secrets", "set", "--workspace", "vision", "named", input: secrets[4])
        try run("secrets", "set", "--workspace", "vision", "where", input: "http://127.0.0.1:1/\(secrets[7])")
        try run("secrets", "set", "--workspace", "vision", "bad", "--lines", input: "\(secrets[4])\n\(secrets[3])")
        try run("secrets", "set", "--workspace", "vision", "split", input: "\(secrets[4])\n\(secrets[3])")
        try run("secrets", "list", "--workspace", "vision")
        try run("secrets", "rekey")
        for command in ["check", "apply"] { try run("rules", command, rules) }
        try run("publish", "-", input: event("a"))
        try run("worker", "--until-idle")
        for arguments in [
            ["rules", "list", "-o", "json"], ["rules", "list"], ["deliveries", "list", "-o", "json"], ["dead", "list"],
            ["status"], ["verify"], ["status", "-o", "json"],
        ] { said += try tool.run(arguments, environment: environment).out }
        for row in try JSONSerialization.jsonObject(
            with: Data(tool.run("deliveries", "list", "-o", "json").out.utf8)) as? [[String: Any]] ?? []
        {
            try run("deliveries", "show", row["delivery"] as? String ?? "")
        }
        let changed = try String(contentsOfFile: rules, encoding: .utf8)
            .replacingOccurrences(of: "services", with: "other").replacingOccurrences(of: "Bearer", with: "Basic")
        _ = try tool.file("rules.yaml", Array(changed.utf8))
        try run("rules", "apply", rules)
        #expect(said.contains("in force") && said.contains("serverError"), "\(said)")
        for secret in secrets {
            #expect(!said.contains(secret), "\(secret) in:\n\(said)")
            #expect(!said.contains(secret.dropFirst(secret.hasPrefix("whsec_") ? 6 : 0)))
        }
        #expect(sink.stop(SIGINT) == 0)
    }
}
