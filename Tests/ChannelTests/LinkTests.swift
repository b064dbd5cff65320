import CarillonEvents
import CarillonLedger
import CarillonWorker
import Foundation
import Testing

@Suite("Channels: people are told where to look", .timeLimit(.minutes(5)))
struct LinkTests {
    /// Those that show a person a text, but for a text message, which costs by its length.
    private static let showing = Sample.all.filter { sample in
        !["webhook", "twilio", "aliyun", "console"].contains { sample.name.hasPrefix($0) }
    }
    private static let bare = #"""
        {"specversion":"1.0","id":"e","source":"/s","type":"job.failed","subject":"dlc-7f3a","workspace":"vision","data":{}}
        """#

    private func links(_ template: String) throws -> Links { try Links(["job": template]) }

    /// What a person may see of a request.
    private func shown(_ sample: Sample, _ notice: Notice) throws -> String {
        let endpoint = try sample.make(nil)
        let request = try endpoint.channel.request(for: outgoing(endpoint, notice), now: stillMoment)
        var text = String(decoding: request.body, as: UTF8.self).replacing("\\/", with: "/")
        if case .page(let page) = request.transport { text += page.url ?? "" }
        return text
    }

    @Test("the deployment's link is shown where the event brings none", arguments: showing)
    func deployment(sample: Sample) throws {
        let links = try links("https://c.example/j/{{ subject }}")
        #expect(try shown(sample, notice(event: Self.bare, links: links)).contains("https://c.example/j/dlc-7f3a"))
        #expect(try !shown(sample, notice(event: Self.bare)).contains("https://"))
    }

    @Test("the event's own goes before it", arguments: showing)
    func own(sample: Sample) throws {
        let text = try shown(sample, notice(links: links("https://c.example/j/{{ subject }}")))
        #expect(text.contains("https://console.example.com/jobs/7") && !text.contains("c.example/j"))
    }

    @Test("a link of another type, or one that is no address once it is filled in, is none", arguments: showing)
    func none(sample: Sample) throws {
        for template in ["https://{{ data.host }}/x", "https://c.example/{{ subject }} {{ subject }}"] {
            #expect(try !shown(sample, notice(event: Self.bare, links: links(template))).contains("https://"))
        }
        let other = Self.bare.replacing("job.failed", with: "node.failed")
        let notice = Notice(
            key: Key(high: 1, low: 2), workspace: "vision", rule: "r", severity: "info", type: "node.failed",
            subject: "dlc-7f3a", time: "", title: "t", message: "m", event: Array(other.utf8)[...], traceparent: nil,
            links: try links("https://c.example/j/{{ subject }}"))
        #expect(try !shown(sample, notice).contains("https://"))
    }

    @Test("a link that could be taken for markup is left out of chats", arguments: showing)
    func hostile(sample: Sample) throws {
        guard !["mail", "inbox", "pagerduty", "feishu"].contains(sample.name) else { return }
        for url in ["https://x.example/<@all>", "https://x.example/|a>", "https://x.example/?q=<at>"] {
            let event = Self.bare.replacing("\"data\":{}", with: "\"data\":{\"url\":\"\(url)\"}")
            let text = try shown(sample, notice(event: event))
            #expect(!text.contains(url), "\(text)")
        }
    }
}
