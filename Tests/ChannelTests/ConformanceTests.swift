import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonWorker
import Foundation
import Testing

/// What every channel keeps, whatever its provider: no secret in any words, one body for all copies, bytes that do not
/// change unseen, no failure for length, and the right outcome when an answer does not come.
@Suite("Channels: every one keeps the contract", .timeLimit(.minutes(5)))
struct ConformanceTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    @Test("the request is the one in the fixture, byte for byte", arguments: Sample.all)
    func golden(sample: Sample) throws {
        let endpoint = try sample.make(nil)
        let request = try endpoint.channel.request(for: outgoing(endpoint, notice()), now: stillMoment)
        let file = Self.fixtures.appending(path: "\(sample.name).txt")
        let text = picture(request)
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
        }
        #expect(text == (try? String(contentsOf: file, encoding: .utf8)), "UPDATE_GOLDEN=1 rewrites the fixtures")
    }

    @Test("a later try has the same id and body, but for what is the try's own", arguments: Sample.all)
    func stable(sample: Sample) throws {
        let endpoint = try sample.make(nil)
        let first = try endpoint.channel.request(for: outgoing(endpoint, notice()), now: stillMoment)
        let again = try endpoint.channel.request(for: outgoing(endpoint, notice()), now: stillMoment)
        let later = try endpoint.channel.request(
            for: outgoing(endpoint, notice(), attempt: 7), now: stillMoment + .seconds(9_001))
        #expect(picture(first) == picture(again), "a pure function")
        #expect(rest(first.body, sample) == rest(later.body, sample))
        #expect(first.transport == later.transport)
        for own in sample.ofTheTry { #expect(member(own, first.body) != member(own, later.body), "\(own)") }
        let other = try endpoint.channel.request(for: outgoing(endpoint, notice(2, message: "other")), now: stillMoment)
        let differs = first.body != other.body || first.transport != other.transport
        #expect(differs || sample.name == "webhook-cloudevents", "its body is the event, which is the same")
    }

    @Test("a receiver that echoes the whole request makes no secret known", arguments: Sample.all)
    func echo(sample: Sample) throws {
        let endpoint = try sample.make(nil)
        let request = try endpoint.channel.request(for: outgoing(endpoint, notice()), now: stillMoment)
        let heads = request.headers.lines.joined(separator: "\n")
        for secret in sample.secrets {
            for echoed in [
                request.url, heads, "you sent \(request.url) \(heads)", "bad \(secret)!",
                String(decoding: request.body.prefix(2000), as: UTF8.self),
            ] {
                let words = Words.of(Array(echoed.utf8), hidingSecretsOf: endpoint)
                #expect(!words.contains(secret), "\(words)")
            }
        }
    }

    @Test("a text of any length is shortened, whole characters at a time, and never refused", arguments: Sample.all)
    func length(sample: Sample) throws {
        let endpoint = try sample.make(nil)
        // A notice's text has at most 16 KiB.
        for piece in ["x", "任务", "\"\\\n", "👩‍👩‍👧‍👦", "<@a>&"] {
            for count in [0, 1, 140, 2_047, 4_096, 16_000] {
                let long = String(repeating: piece, count: min(count, Template.longestText / piece.utf8.count))
                let request = try endpoint.channel.request(
                    for: outgoing(endpoint, notice(title: long, message: long)), now: stillMoment)
                // Of a line that began with a whole family, a torn one would end with a joiner.
                #expect(String(validating: request.body, as: UTF8.self)?.contains("\u{200D}…") != true)
                if sample.name.hasPrefix("dingtalk") || sample.name.hasPrefix("feishu") {
                    #expect(request.body.count <= 20_000)
                }
                if sample.name == "wecom", let text = content(request.body) { #expect(text.utf8.count <= 2048) }
                if sample.name == "wecom-markdown", let text = content(request.body) {
                    #expect(text.utf8.count <= 4096)
                }
                if sample.isHTTP, sample.name != "twilio", sample.name != "aliyun" {
                    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(request.body)) }
                }
            }
        }
    }

    @Test("nobody at the door is a failure, a door without an answer is ambiguous", arguments: Sample.all)
    func timeouts(sample: Sample) async throws {
        guard sample.isHTTP else { return }  // mail has tests of its own; the others have no network
        let double = try Peer("providers.py", [String(stillMoment.milliseconds)])
        defer { double.stop() }
        let rig = Rig(timeout: .seconds(1))
        defer { rig.courier.close() }
        let hanging = try sample.make("http://127.0.0.1:\(double.port)/hang")
        let after = try #require(await rig.send(outgoing(hanging, notice())))
        #expect(after.outcome == .ambiguous(.contextDeadlineExceeded))
        _ = try double.next(Seen.self)
        let nobody = try sample.make("http://127.0.0.1:9")
        let before = try #require(await rig.send(outgoing(nobody, notice(2))))
        #expect(before.outcome == .failed(.other, after: nil))
        for ending in [after, before] { for secret in sample.secrets { #expect(!ending.words.contains(secret)) } }
    }

    @Test("what costs money has a connection of its own and is not repeated by itself")
    func money() throws {
        for sample in Sample.all {
            let endpoint = try sample.make(nil)
            let request = try endpoint.channel.request(for: outgoing(endpoint, notice()), now: stillMoment)
            let costs = ["twilio", "aliyun"].contains(sample.name)
            #expect(request.needsFreshConnection == costs, "\(sample.name)")
            #expect((endpoint.channel.onAmbiguous == .skip) == costs, "\(sample.name)")
        }
    }

    @Test("only an address that is the deployment's own word may lie inside the network")
    func trust() throws {
        for sample in Sample.all where sample.isHTTP {
            let plain = try sample.make(nil)
            let doubled = try sample.make("http://127.0.0.1:1")
            #expect(try !plain.channel.request(for: outgoing(plain, notice()), now: stillMoment).isTrusted)
            #expect(try doubled.channel.request(for: outgoing(doubled, notice()), now: stillMoment).isTrusted)
        }
    }

    // MARK: - Pictures

    private func picture(_ request: Request) -> String {
        let head =
            ["\(request.method) \(request.url)"]
            + request.headers.lines.map {
                $0.hasPrefix("user-agent: ") ? "user-agent: Carillon" : $0
            }
        var lines = head.joined(separator: "\n")
        switch request.transport {
        case .http, .line: break
        case .smtp(let mail):
            lines += "from \(mail.sender) to \(mail.recipients) tls \(mail.tls) login \(mail.login?.user ?? "none")"
        case .page(let page): lines += "page \(page.severity) \(page.title)\n\(page.message)\n\(page.url ?? "-")"
        }
        return lines + "\n\n" + String(decoding: request.body, as: UTF8.self).replacing("\r\n", with: "\n") + "\n"
    }

    private func member(_ name: String, _ body: [UInt8]) -> String? {
        if let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] {
            return object[name] as? String
        }
        return String(decoding: body, as: UTF8.self).split(separator: "&").map(String.init).first {
            $0.hasPrefix(name + "=")
        }
    }

    private func rest(_ body: [UInt8], _ sample: Sample) -> String {
        var text = String(decoding: body, as: UTF8.self)
        for own in sample.ofTheTry {
            if let value = member(own, body) { text.replace(value, with: "") }
            if let value = member(own, body) { text.replace(value.replacing("/", with: "\\/"), with: "") }
        }
        return text
    }

    private func content(_ body: [UInt8]) -> String? {
        let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        let inner = (object?["text"] ?? object?["markdown"]) as? [String: Any]
        return inner?["content"] as? String
    }
}
