import CarillonEvents
import CarillonWorker
import Foundation
import Testing

/// A message as the mail server took it, read by Python's own email package.
private struct Mail: Decodable {
    let from: String
    let to: [String]
    let tls, login: Bool
    let peer: Int
    let greeting: String?
    let headers: [[String]]
    let text, html, raw: String
    let defects: [String]
    func header(_ name: String) -> [String] { headers.filter { $0[0].lowercased() == name }.map { $0[1] } }
}

@Suite("Mail: a real server", .timeLimit(.minutes(5)), .enabled(if: Peer.hasPeers, "needs Scripts/install-deps test"))
struct MailTests {
    private let authority: PrivateAuthority

    init() throws { authority = try PrivateAuthority() }

    private func server(_ manner: String) throws -> Peer {
        try Peer("mailserver.py", [manner, authority.certificate, authority.key], python: Peer.python)
    }

    private func person(_ values: [String: String], to recipient: String = "alice@example.com") throws -> Endpoint {
        let own = ["from": "Carillon 任务 <carillon@example.com>"]
        let channel = try #require(
            try Channels.people(["mail": ChannelSettings(values: values.merging(own) { a, _ in a })])["mail"])
        return Endpoint(name: "mail/alice", url: "", secrets: [], headers: [], recipient: recipient, channel: channel)
    }

    private func secured(_ port: Int, _ more: [String: String] = [:]) -> [String: String] {
        [
            "url": "smtp://127.0.0.1:\(port)", "ca_file": authority.authority, "username": "carillon",
            "password": "mail-password",
        ].merging(more) { $1 }
    }

    @Test("STARTTLS with an authority of one's own and a login: the message arrives whole, over one connection")
    func starttls() async throws {
        let server = try server("starttls")
        defer { server.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let alice = try person(secured(server.port))
        let message = "任务 failed\n.hidden dot\n\nlong \(String(repeating: "x", count: 2_000)) tail \n-- end"
        let first = try #require(await rig.send(outgoing(alice, notice(message: message))))
        #expect(first.outcome == .delivered, "\(first.words)")
        let mail = try server.next(Mail.self)
        #expect(mail.tls && mail.login && mail.from == "carillon@example.com" && mail.to == ["alice@example.com"])
        #expect(mail.greeting == "example.com" && mail.defects.isEmpty)
        #expect(mail.header("subject") == ["[critical] resnet-50 failed"])
        #expect(mail.header("from") == ["Carillon 任务 <carillon@example.com>"])
        #expect(mail.header("message-id") == ["<00000000000000070000000000000001@example.com>"])
        #expect(mail.header("date") == ["Mon, 05 Jan 2026 08:00:00 +0000"])
        #expect(mail.text.replacing("\r\n", with: "\n").hasPrefix("resnet-50 failed\n" + message + "\n"))
        #expect(
            mail.html.contains("<h2>resnet-50 failed</h2>") && mail.html.contains("https://console.example.com/jobs/7"))
        #expect(mail.raw.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 78 })
        #expect(await rig.send(outgoing(alice, notice(2)))?.outcome == .delivered)
        #expect(try server.next(Mail.self).peer == mail.peer, "the connection is kept")
    }

    @Test("what comes from an event is escaped in HTML, and begins no header")
    func hostile() async throws {
        let server = try server("plain")
        defer { server.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let alice = try person(["url": "smtp://127.0.0.1:\(server.port)", "tls": "none"])
        let breaks = [
            "\r\nBcc: eve@example.com\r\n\r\nowned", "a\nX-Evil: 1", "\r", "\u{2028}X: y", "\u{0}\u{1b}[2J",
            "=?UTF-8?Q?x?=",
        ]
        for (number, text) in breaks.enumerated() {
            let title = text + String(repeating: "长", count: 60 * number) + "<script>alert(1)</script>"
            let ending = try #require(
                await rig.send(
                    outgoing(alice, notice(UInt64(number + 1), title: title, message: "\r\n.\r\nMAIL FROM:<x>"))))
            #expect(ending.outcome == .delivered, "\(ending.words)")
            let mail = try server.next(Mail.self)
            let known = [
                "date", "from", "to", "subject", "message-id", "auto-submitted", "mime-version", "content-type",
            ]
            #expect(mail.headers.map { $0[0].lowercased() } == known && mail.defects.isEmpty)
            #expect(mail.to == ["alice@example.com"] && !mail.html.contains("<script>"))
            #expect(mail.html.contains("&lt;script&gt;") && mail.text.contains("MAIL FROM:<x>"))
        }
    }

    @Test("no message and no password goes to a server that nobody vouches for, or that speaks in the clear")
    func security() async throws {
        let secure = try server("starttls")
        let plain = try server("plain")
        defer { [secure, plain].forEach { $0.stop() } }
        let rig = Rig()
        defer { rig.courier.close() }
        var values = secured(secure.port)
        values["ca_file"] = nil
        #expect(await rig.send(outgoing(try person(values), notice()))?.outcome == .failed(.tls, after: nil))
        let stripped = secured(plain.port)
        #expect(await rig.send(outgoing(try person(stripped), notice(2)))?.outcome == .failed(.tls, after: nil))
        values["verify_ssl"] = "false"
        #expect(await rig.send(outgoing(try person(values), notice(3)))?.outcome == .delivered)
        let opportunistic = secured(secure.port, ["tls": "opportunistic"])
        #expect(await rig.send(outgoing(try person(opportunistic), notice(4)))?.outcome == .delivered)
        #expect(try secure.next(Mail.self).tls)
        #expect(try secure.next(Mail.self).tls)
        let lenient = ["url": "smtp://127.0.0.1:\(plain.port)", "tls": "opportunistic"]
        #expect(await rig.send(outgoing(try person(lenient), notice(5)))?.outcome == .delivered)
        #expect(try !plain.next(Mail.self).tls)
    }

    @Test("TLS from the first byte")
    func implicit() async throws {
        let server = try server("implicit")
        defer { server.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let values = ["url": "smtps://127.0.0.1:\(server.port)", "ca_file": authority.authority]
        #expect(await rig.send(outgoing(try person(values), notice()))?.outcome == .delivered)
        #expect(try server.next(Mail.self).tls)
    }

    @Test("a wrong password is refused, and nobody hears it")
    func login() async throws {
        let server = try server("starttls")
        defer { server.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let values = secured(server.port, ["password": "hunter2-hunter2"])
        let ending = try #require(await rig.send(outgoing(try person(values), notice())))
        #expect(ending.outcome == .refused(.authError) && ending.status == 535)
        #expect(!ending.words.contains("hunter2"))
    }

    @Test(
        "the server's reply decides: 4yz later, 5yz never",
        arguments: [
            ("later@example.com", Outcome.failed(.serverError, after: nil), 451),
            ("full@example.com", .failed(.serverError, after: nil), 452),
            ("never@example.com", .refused(.clientError), 550), ("spam@example.com", .refused(.clientError), 554),
        ])
    func replies(recipient: String, outcome: Outcome, status: Int) async throws {
        let server = try server("plain")
        defer { server.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let values = ["url": "smtp://127.0.0.1:\(server.port)", "tls": "none"]
        let ending = try #require(await rig.send(outgoing(try person(values, to: recipient), notice())))
        #expect(ending.outcome == outcome && ending.status == status)
        #expect(!ending.words.isEmpty)
        #expect(await rig.send(outgoing(try person(values), notice(2)))?.outcome == .delivered, "after it, all is well")
    }

    @Test("silence before the message is a failure, silence after it is ambiguous")
    func silence() async throws {
        let server = try server("plain")
        defer { server.stop() }
        let rig = Rig(timeout: .seconds(2))
        defer { rig.courier.close() }
        let values = ["url": "smtp://127.0.0.1:\(server.port)", "tls": "none"]
        let after = try #require(await rig.send(outgoing(try person(values, to: "silence@example.com"), notice())))
        #expect(after.outcome == .ambiguous(.contextDeadlineExceeded))
        let greeter = try Peer("providers.py", [String(stillMoment.milliseconds)])  // waits for a request: no greeting
        defer { greeter.stop() }
        let mute = ["url": "smtp://127.0.0.1:\(greeter.port)", "tls": "none"]
        let before = try #require(await rig.send(outgoing(try person(mute), notice(2))))
        #expect(before.outcome == .failed(.contextDeadlineExceeded, after: nil))
    }

    @Test("HTTP and mail take turns on the same handles")
    func turns() async throws {
        let (mail, web) = (try server("plain"), try Peer("providers.py", [String(stillMoment.milliseconds)]))
        defer { [mail, web].forEach { $0.stop() } }
        let rig = Rig()
        defer { rig.courier.close() }
        let alice = try person(["url": "smtp://127.0.0.1:\(mail.port)", "tls": "none"])
        let sample = try #require(Sample.all.first { $0.name == "slack" })
        let slack = try sample.make("http://127.0.0.1:\(web.port)")
        for id in 1...4 {
            #expect(await rig.send(outgoing(slack, notice(UInt64(id))))?.outcome == .delivered)
            #expect(await rig.send(outgoing(alice, notice(UInt64(10 + id))))?.outcome == .delivered)
            #expect(try web.next(Seen.self).method == "POST")
            #expect(try mail.next(Mail.self).to == ["alice@example.com"])
        }
    }

    @Test(
        "an address that is none is told before anything is sent",
        arguments: ["user@localhost", "a b@x.com", "", "a@b.co\r\nRCPT TO:<x@y.zz>", "@x.com", "a@-x.com", "a@x..com"])
    func addresses(address: String) throws {
        let alice = try person(["url": "smtp://127.0.0.1:1"], to: address)
        #expect(throws: Unsendable.self) { try alice.channel.request(for: outgoing(alice, notice()), now: stillMoment) }
        for good in ["a@b.co", "a.b+c@x-y.example.com"] {
            let alice = try person(["url": "smtp://127.0.0.1:1"], to: good)
            #expect(throws: Never.self) { try alice.channel.request(for: outgoing(alice, notice()), now: stillMoment) }
        }
    }
}
