import CarillonPlatform
import Foundation
import Testing

/// The shared library as programs in other languages meet it; this build's, so with a Swift runtime beside it.
@Suite("libcarillon: the producer for C and Python", .timeLimit(.minutes(5)))
struct LibrarySuite {
    private let tool: Tool
    private let library: String
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    init() throws {
        tool = try Tool()
        library = tool.folder.path + "/library"
        try FileManager.default.createDirectory(atPath: library, withIntermediateDirectories: true)
        let built = (Tool.binary as NSString).deletingLastPathComponent + "/libCarillonC.so"
        try FileManager.default.createSymbolicLink(atPath: library + "/libcarillon.so", withDestinationPath: built)
        try FileManager.default.copyItem(
            atPath: Self.root + "/Sources/C/CCarillon/carillon.h", toPath: library + "/carillon.h")
    }

    private func run(_ program: String, _ arguments: [String], _ environment: [String: String] = [:]) throws
        -> Tool.Result
    {
        let (out, process) = (Pipe(), Process())
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "CARILLON_LIBRARY": library + "/libcarillon.so"]
            .merging(environment) { $1 }
        process.standardOutput = out
        process.standardError = out
        try process.run()
        let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Tool.Result(code: process.terminationStatus, out: text, error: "")
    }

    /// Compiles a C program against the library as its users do.
    private func compiled(_ source: String) throws -> String {
        let program = tool.folder.path + "/" + (source as NSString).lastPathComponent + ".out"
        // The build's own library is known by its own name.
        let made = try run(
            "/usr/bin/env",
            [
                "cc", "-std=c99", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I" + library, "-o", program, source,
                "-L" + library, "-lcarillon", "-pthread", "-Wl,-rpath," + library,
            ])
        try #require(made.code == 0, "\(made.out)")
        return program
    }

    /// How many events the next worker finds that a rule for all types wants.
    private func delivered(_ workspace: String) throws -> Int {
        let rules = try tool.rules(["a"], workspace: workspace)
        #expect(try tool.run("rules", "apply", rules).code == 0)
        #expect(try tool.run("worker", "--until-idle", "--set", "delivery.retry.give_up_after=0s").code == 0)
        let listed = try tool.run("deliveries", "list", "--limit", "10000", "-o", "json").out
        return listed.components(separatedBy: "\"rule\":\"a\"").count - 1
    }

    @Test("the C example publishes from four threads; all of it arrives in the stream")
    func cExample() throws {
        try tool.makeDeployment()
        let program = try compiled(Self.root + "/examples/c/scheduler.c")
        let result = try run(program, [tool.home, "vision", "100"])
        #expect(result.code == 0 && result.out == "accepted 200 appended 200 spooled 0 refused 0\n", "\(result.out)")
        #expect(try delivered("vision") == 10)  // job.failed is every tenth
    }

    @Test("the Python example does the same through ctypes, and is told what it did wrong")
    func pythonExample() throws {
        try tool.makeDeployment()
        let result = try run(
            "/usr/bin/python3", [Self.root + "/examples/python/scheduler.py", tool.home, "vision", "50"])
        #expect(
            result.code == 0 && result.out.hasSuffix("accepted 100 appended 100 spooled 0 refused 0\n"), "\(result.out)"
        )
        #expect(result.out.contains("invalid: event could not be accepted: 'type' is missing"))
        #expect(try delivered("vision") == 50)
    }

    @Test("without a stream the events are spooled, and the next worker brings them there")
    func spooled() throws {
        let program = try compiled(Self.root + "/examples/c/scheduler.c")
        let away = tool.folder.path + "/away"
        let result = try run(program, [away, "vision", "20"])
        #expect(result.code == 0 && result.out == "accepted 40 appended 0 spooled 40 refused 0\n", "\(result.out)")
        try tool.makeDeployment()
        for name in try FileManager.default.contentsOfDirectory(atPath: away + "/spool") where name.hasSuffix(".spool")
        {
            try FileManager.default.moveItem(atPath: away + "/spool/" + name, toPath: tool.home + "/spool/" + name)
        }
        #expect(try delivered("vision") == 2)
    }

    @Test("over Kafka both examples do the same: delivery reports make it durable")
    func overKafka() throws {
        let cluster = try KafkaAnswersSuite.Cluster()
        let config = """
            stream: {kind: kafka, topics: [events], properties: {bootstrap.servers: "\(cluster.servers)"}}
            ledger: {single_host: true}
            """
        _ = try tool.file("carillon.yaml", Array(config.utf8))
        let settings = [
            "stream.kind=kafka", "stream.topics=events", "stream.properties.bootstrap.servers=\(cluster.servers)",
        ]
        let c = try run(try compiled(Self.root + "/examples/c/scheduler.c"), [tool.home, "vision", "100"] + settings)
        #expect(c.code == 0 && c.out == "accepted 200 appended 200 spooled 0 refused 0\n", "\(c.out)")
        let python = try run(
            "/usr/bin/python3", [Self.root + "/examples/python/scheduler.py", tool.home, "vision", "50"] + settings)
        #expect(
            python.code == 0 && python.out.hasSuffix("accepted 100 appended 100 spooled 0 refused 0\n"), "\(python.out)"
        )
        #expect(try tool.run("worker", "--prepare").code == 0)
        #expect(try delivered("vision") == 10 + 50)
    }

    @Test("Kafka that is away is spooled for, and settings that cannot do are told by their line")
    func kafkaAway() throws {
        let program = try compiled(Self.root + "/examples/c/scheduler.c")
        let away = ["stream.kind=kafka", "stream.properties.bootstrap.servers=127.0.0.1:9"]
        let result = try run(program, [tool.home, "vision", "20"] + away)
        #expect(result.code == 0 && result.out == "accepted 40 appended 0 spooled 40 refused 0\n", "\(result.out)")
        let nameless = try run(program, [tool.home, "vision", "1", "stream.kind=kafka"])
        #expect(nameless.code == 1 && nameless.out.contains("bootstrap.servers"), "\(nameless.out)")
    }

    @Test("every mistake of a caller is an answer with words, never a crash; a fork is told so")
    func mistakes() throws {
        let program = try compiled(Self.root + "/Tests/CommandTests/Fixtures/mistakes.c")
        let result = try run(program, [tool.home, tool.folder.path])
        #expect(result.code == 0, "\(result.out)")
    }
}
