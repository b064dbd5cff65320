import Testing

@testable import CarillonServer

@Suite("Events in: who may send what", .timeLimit(.minutes(1)))
struct AccessSuite {
    private let stream = FlakyStream()
    private let secret = "0123456789abcdef"

    private func tokens(_ grants: [(String, AccessTokens.Grant)]) -> AccessTokens {
        var tokens = AccessTokens()
        for (token, grant) in grants {
            let isNew = tokens.add(token: token, grant)
            #expect(isNew)
        }
        return tokens
    }

    private func bearing(_ token: String) -> [(String, String)] { structured + [("Authorization", "Bearer \(token)")] }

    @Test("without tokens only this machine sends, and only when asked as itself")
    func loopback() async {
        for host in ["127.0.0.1", "localhost", "::1", "127.9.9.9"] {
            guard case .loopback = Access(listening: host, tokens: nil) else { Issue.record("\(host)"); continue }
        }
        for host in [
            "0.0.0.0", "::", "10.0.0.1", "127.0.0.1.evil.com", "127.0.0.1.", "127.1", "127.0.0.+1",
            "localhost.evil.com",
        ] {
            guard case .closed = Access(listening: host, tokens: nil) else { Issue.record("\(host)"); continue }
        }
        let door = stream.door(Access(listening: "127.0.0.1", tokens: nil))
        for authority in ["localhost:8420", "127.0.0.1", "[::1]:8420", "LOCALHOST"] {
            #expect(await door.post(line("a"), authority: authority, structured) == .accepted(1))
        }
        // A page whose name was made to lead here.
        for authority in ["evil.com", "evil.com:8420", "127.0.0.1.evil.com", nil] {
            #expect(await door.post(line("b"), authority: authority, structured).brief == .problem(403, "closed"))
        }
        let closed = stream.door(Access(listening: "0.0.0.0", tokens: nil))
        let refused = await closed.post(line("c"), structured)
        #expect(refused.brief == .problem(403, "closed") && refused.text.contains("http.tokens_file"))
    }

    @Test("a token is wanted and has to be known; the new ones are in force at once")
    func known() async {
        let door = stream.door(.tokens(tokens([(secret, .init(name: "a", workspaces: ["*"]))])))
        #expect(await door.post(line("a"), bearing(secret)) == .accepted(1))
        #expect(await door.post(line("a"), structured + [("authorization", "bearer   \(secret)")]) == .accepted(1))
        for headers in [
            structured, bearing(""), bearing(secret + "x"), bearing(String(secret.dropLast())), bearing("\(secret) x"),
            structured + [("authorization", "Basic \(secret)")], structured + [("authorization", secret)],
        ] { #expect(await door.post(line("b"), headers).brief == .problem(401, "token"), "\(headers)") }
        door.admit(.tokens(tokens([("another-token-of-ours", .init(name: "b", workspaces: ["vision"]))])))
        #expect(await door.post(line("c"), bearing(secret)).brief == .problem(401, "token"))
        #expect(await door.post(line("c"), bearing("another-token-of-ours")) == .accepted(1))
    }

    @Test("events outside the token's workspaces or sources are listed, and none of the request is taken")
    func outside() async {
        let grant = AccessTokens.Grant(name: "a", workspaces: ["vision", "team-*"], sources: ["/slurm/*"])
        let door = stream.door(.tokens(tokens([(secret, grant)])))
        let inside = line("1", workspace: "team-7", source: "/slurm/a")
        #expect(await door.post(inside, bearing(secret)) == .accepted(1))
        let headers = batched + [("authorization", "Bearer \(secret)")]
        let mixed = [inside, line("2", workspace: "speech", source: "/slurm/a"), line("3", source: "/ray/a")]
        let outcome = await door.post("[\(mixed.joined(separator: ","))]", headers)
        #expect(outcome.brief == .problem(403, "outside-token"))
        #expect(outcome.text.contains("2 of 3 events"))
        #expect(outcome.text.contains("\"index\":1,\"detail\":\"workspace speech is not among the token's\""))
        #expect(outcome.text.contains("\"index\":2,\"detail\":\"source /ray/a is not among the token's\""))
        #expect(!outcome.text.contains(secret))
        #expect(stream.ids == ["1"])
    }

    @Test("a star covers no workspace that begins with an underscore; those are given by name")
    func system() {
        let all = AccessTokens.Grant(name: "a", workspaces: ["*"])
        #expect(all.covers(workspace: "vision") && !all.covers(workspace: "_system"))
        #expect(AccessTokens.Grant(name: "a", workspaces: ["*", "_system"]).covers(workspace: "_system"))
        #expect(AccessTokens.Grant(name: "a", workspaces: ["_*"]).covers(workspace: "_system"))
    }

    @Test("a token that stands twice is refused, by its text or its hash")
    func twice() {
        var tokens = tokens([(secret, .init(name: "a", workspaces: ["*"]))])
        let isNew = tokens.add(token: secret, .init(name: "b", workspaces: ["*"]))
        #expect(!isNew)
        #expect(tokens.count == 1)
    }

    @Test(
        "a star stands for any run of characters",
        arguments: [
            ("", "", true), ("*", "", true), ("a*", "a", true), ("a*", "ab", true), ("a*", "ba", false),
            ("*b", "ab", true),
            ("a*c", "abc", true), ("a*c", "abcd", false), ("a*b*c", "a1b2b3c", true), ("**", "x", true),
            ("", "x", false),
            ("a", "A", false), ("*任*", "x任y", true), ("?", "x", false),
        ])
    func globs(glob: String, text: String, isMatch: Bool) { #expect(matches(glob, text) == isMatch) }

    @Test("many stars against a long text end soon")
    func slowGlob() {
        let text = String(repeating: "a", count: 20_000)
        #expect(!matches(String(repeating: "*a", count: 50) + "*b", text))
    }
}
