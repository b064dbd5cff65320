import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonWorker
import Foundation
import Glibc
import Testing

@Suite("Channels: providers that check what they get", .timeLimit(.minutes(5)))
struct ProviderTests {
    private let double: Peer

    init() throws { double = try Peer("providers.py", [String(stillMoment.milliseconds)]) }

    private func send(_ sample: Sample, _ endpoint: Endpoint? = nil, rig: Rig, id: UInt64 = 1) async throws -> Ending {
        let doubled = try sample.make("http://127.0.0.1:\(double.port)")
        let endpoint = endpoint ?? doubled
        return try #require(await rig.send(outgoing(endpoint, notice(id))))
    }

    @Test("each provider takes what its channel sends, signature and all", arguments: Sample.all.filter(\.isHTTP))
    func taken(sample: Sample) async throws {
        defer { double.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let ending = try await send(sample, rig: rig)
        #expect(ending.outcome == .delivered, "\(ending.words)")
    }

    @Test("seconds for milliseconds, or the wrong way to sign, is refused as the providers refuse it")
    func wrong() async throws {
        defer { double.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let base = "http://127.0.0.1:\(double.port)"
        let raw = Endpoint(
            name: "room",
            url: "\(base)/robot/send?access_token=t&timestamp=1700000000"
                + "&sign=Vn%2FVmiioYelPvU6MQG7OLsG8Ab7aJPp4u%2BF30UH3Zvg%3D", secrets: [], headers: [],
            channel: try DingTalkChannel.make(ChannelSettings(values: ["base_url": base])))
        let dingtalk = try #require(await rig.send(outgoing(raw, notice())))
        #expect(dingtalk.outcome == .refused(.authError) && dingtalk.words.contains("310000"))
        let unsigned = Endpoint(
            name: "room", url: "\(base)/open-apis/bot/v2/hook/x", secrets: [], headers: [], credential: "another",
            channel: try FeishuChannel.make(ChannelSettings(values: ["base_url": base])))
        let feishu = try #require(await rig.send(outgoing(unsigned, notice())))
        #expect(feishu.outcome == .refused(.authError) && feishu.words.contains("19021"))
    }

    @Test("a kept connection serves one message after another; what costs money gets a new one each time")
    func connections() async throws {
        defer { double.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let twilio = try #require(Sample.all.first { $0.name == "twilio" })
        for id in 1...3 { #expect(try await send(twilio, rig: rig, id: UInt64(id)).outcome == .delivered) }
        let ports = try (1...3).map { _ in try double.next(Seen.self).port }
        #expect(Set(ports).count == 3)
    }

    @Test("a connection into the network that the deployment made is not found by a document's webhook")
    func trust() async throws {
        defer { double.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let slack = try #require(Sample.all.first { $0.name == "slack" })
        #expect(try await send(slack, rig: rig).outcome == .delivered)
        let tenant = Endpoint(
            name: "hook", url: "http://127.0.0.1:\(double.port)/inside", secrets: [], headers: [],
            channel: WebhookChannel())
        #expect(try await send(slack, tenant, rig: rig, id: 2).outcome == .refused(.blocked))
        _ = try double.next(Seen.self)
    }

    @Test("a line goes to the console, a page to the settlement, and neither waits for anybody")
    func local() async throws {
        defer { double.stop() }
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        let rig = Rig(console: ends[1])
        defer { rig.courier.close() }
        let console = try #require(Sample.all.first { $0.name == "console" })
        let inbox = try #require(Sample.all.first { $0.name == "inbox" })
        #expect(try await send(console, try console.make(nil), rig: rig).outcome == .delivered)
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = unsafe read(ends[0], &bytes, bytes.count)
        let line = String(decoding: bytes[..<count], as: UTF8.self)
        #expect(line.hasPrefix("2026-01-05T08:00:00.250Z vision/failures critical room: resnet-50 failed"))
        #expect(line.hasSuffix("\n") && line.count { $0 == "\n" } == 1)
        let page = try await send(inbox, try inbox.make(nil), rig: rig, id: 2)
        #expect(page.outcome == .delivered && page.page?.title == "resnet-50 failed")
        #expect(page.page?.url == "https://console.example.com/jobs/7")
        // A reader that is gone for lunch: the pipe fills, and then lines fail instead of holding up the courier.
        var last = Outcome.delivered
        for id in 3...200 where last == .delivered {
            let long = notice(UInt64(id), message: String(repeating: "x", count: 4_000))
            last = try #require(await rig.send(outgoing(try console.make(nil), long))).outcome
        }
        #expect(last == .failed(.other, after: nil))
        close(ends[0])
        close(ends[1])
    }

    @Test(
        "every verb arrives, and the event as it was published", arguments: ["GET", "POST", "PUT", "PATCH", "DELETE"])
    func verbs(verb: String) async throws {
        defer { double.stop() }
        let rig = Rig()
        defer { rig.courier.close() }
        let settings = ChannelSettings(values: ["base_url": "http://127.0.0.1:\(double.port)"])
        let made = try #require(try Channels.kinds(["webhook": settings])["webhook"])
        let channel = made(.init(name: "hook", url: .text(""), format: .cloudevents))
        let endpoint = Endpoint(
            name: "hook", url: "https://ops.example.com/a?b=c", method: verb, secrets: [], headers: [("X-Team", "v")],
            channel: channel)
        #expect(await rig.send(outgoing(endpoint, notice()))?.outcome == .delivered)
        let seen = try double.next(Seen.self)
        #expect(seen.method == verb && seen.path == "/a?b=c" && seen.body == sampleEvent)
        #expect(seen.headers["content-type"] == "application/cloudevents+json" && seen.headers["x-team"] == "v")
    }
}
