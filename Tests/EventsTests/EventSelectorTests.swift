import CarillonEvents
import Testing

@Suite("A rule's events select by type", .timeLimit(.minutes(1)))
struct EventSelectorTests {
    static let cases: [(selector: String, wants: [String], not: [String])] = [
        (
            "job.failed", ["job.failed"],
            ["job.fail", "job.failed2", "job.failed.x", "Job.failed", "job", "", "pipeline.failed"]
        ),
        (
            "job.*", ["job.failed", "job.x", "job.作业"],
            ["job", "job.", "job.array.failed", "jobs.failed", "ajob.failed", ""]
        ),
        ("*.failed", ["job.failed", "pipeline.failed"], [".failed", "failed", "job.array.failed", "job.failed.x"]),
        ("*", ["job", "x"], ["", "job.failed", "."]),
        ("*.*", ["job.failed"], ["job", "job.", ".failed", "a.b.c"]),
        ("job.*.failed", ["job.array.failed"], ["job.failed", "job..failed", "job.a.b.failed"]),
        ("job.finished", ["job.succeeded", "job.failed"], ["job.stopped", "job.finished", "job.running"]),
        (
            "job.ended", ["job.succeeded", "job.failed", "job.stopped"],
            ["job.ended", "job.retained", "pipeline.failed"]
        ),
        ("pipeline.finished", ["pipeline.succeeded", "pipeline.failed"], ["pipeline.stopped", "job.failed"]),
        ("model.changed", ["model.approved", "model.rejected"], ["model.changed", "model.deleted"]),
        ("com.example.thing", ["com.example.thing"], ["com.example", "com.example.things"]),
    ]

    @Test("exact types, whole segments and aliases want what they say and nothing else", arguments: cases)
    func selects(text: String, wants: [String], not: [String]) throws {
        let selector = try EventSelector(text)
        for type in wants { #expect(selector.selects(type), "\(text) wants \(type)") }
        for type in not { #expect(!selector.selects(type), "\(text) does not want \(type)") }
    }

    @Test(
        "what is no type, pattern or alias is refused with a reason",
        arguments: [
            ("", "is empty"), ("job.fail*", "within a segment"), ("*ed", "within a segment"),
            ("job.**", "within a segment"),
            ("job.*.", "empty segment"), (".*", "empty segment"), ("job failed", "white space"),
            ("job.failed\n", "white space"),
            ("job.\u{1}", "control"),
        ])
    func refuses(text: String, reason: String) {
        do throws(EventSelector.Fault) {
            _ = try EventSelector(text)
            Issue.record("\(text) was accepted")
        } catch {
            #expect(error.reason.contains(reason))
        }
    }

    @Test("aliases and exact types name the types they want, patterns do not")
    func types() throws {
        #expect(try EventSelector("job.failed").types == ["job.failed"])
        #expect(try EventSelector("job.finished").types == ["job.succeeded", "job.failed"])
        #expect(try EventSelector("job.*").types == nil)
    }

    @Test("every word of the lifecycle is wanted by its family's pattern")
    func families() throws {
        for (pattern, words) in [
            ("job.*", Lifecycle.Job.all), ("pipeline.*", Lifecycle.Pipeline.all), ("model.*", Lifecycle.Model.all),
        ] {
            let selector = try EventSelector(pattern)
            for word in words { #expect(selector.selects(word)) }
        }
        #expect(Lifecycle.Pipeline.all.contains(Lifecycle.Pipeline.stopped))
    }
}
