import CarillonEvents
import Testing

@Suite("Outline: one pass checks an event and finds its attributes", .timeLimit(.minutes(1)))
struct OutlineTests {
    static let sample = #"""
        {"specversion":"1.0","id":"dlc-7f3a/2/failed","source":"/schedulers/volcano-a","type":"job.failed",
         "subject":"dlc-7f3a","time":"2026-01-05T08:00:00.250Z","workspace":"vision","datacontenttype":"application/json",
         "data":{"kind":"dlc","name":"resnet-50","owner":"alice","attempt":2,"maxAttempts":3,"final":true,"queue":"a100",
         "priority":5,"node":"gpu-17","reason":"OOMKilled","message":"container \"x\" exceeded memory limit","exitCode":137,
         "labels":{"team":"vision"},"results":{"drift":0.25}}}
        """#

    @Test("every attribute is found where it stands")
    func finds() throws {
        let bytes = Array(Self.sample.utf8)
        let outline = try CloudEvents.outline(bytes.span)
        func text(_ slice: Slice?) -> String? { slice.flatMap { JSON.string($0, in: bytes.span) } }
        #expect(text(outline.id) == "dlc-7f3a/2/failed")
        #expect(text(outline.source) == "/schedulers/volcano-a")
        #expect(text(outline.type) == "job.failed")
        #expect(text(outline.workspace) == "vision")
        #expect(text(outline.subject) == "dlc-7f3a")
        #expect(CloudEvents.time(of: outline, in: bytes.span) == Timestamp(milliseconds: 1_767_600_000_250))
        let data = try #require(outline.data)
        #expect(JSON.member("message", of: data, in: bytes.span).flatMap { JSON.string($0, in: bytes.span) }
            == "container \"x\" exceeded memory limit")
    }
}
