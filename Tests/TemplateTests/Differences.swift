import CarillonRules
import Foundation
import Testing

/// Python with Jinja, which `Scripts/install-deps` puts beside the build.
struct Oracle: Sendable {
    let python: String

    /// `nil` where neither `CARILLON_PYTHON` nor the build's own Python has Jinja.
    static let here: Oracle? = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let own = root.appending(path: ".build/jinja/bin/python3").path(percentEncoded: false)
        let candidates = [ProcessInfo.processInfo.environment["CARILLON_PYTHON"], own].compactMap(\.self)
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }.map(Oracle.init)
    }()

    /// Whether its absence is a failure.
    static let isNeeded = ProcessInfo.processInfo.environment["CI"] != nil

    /// Templates generated from seeds, with what Jinja makes of them.
    func cases(from seed: Int, count: Int) throws -> [RenderCase] {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Oracle/differences.py")
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = ["-W", "ignore", script.path(percentEncoded: false), String(seed), String(count)]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw OracleError(status: process.terminationStatus) }
        return data.split(separator: UInt8(ascii: "\n")).compactMap { RenderCase($0) }
    }

    struct OracleError: Error { let status: Int32 }
}

@Suite("Templates: generated ones render as Jinja renders them", .timeLimit(.minutes(10)))
struct DifferenceTests {
    /// `CARILLON_TEMPLATES=200000` and `CARILLON_SEED=…` hunt further.
    static let count = ProcessInfo.processInfo.environment["CARILLON_TEMPLATES"].flatMap { Int($0) } ?? 6000
    static let seed = ProcessInfo.processInfo.environment["CARILLON_SEED"].flatMap { Int($0) } ?? 1

    @Test(
        "of thousands of templates none renders otherwise than in Python",
        .enabled(if: Oracle.here != nil || Oracle.isNeeded, "Jinja is not here; Scripts/install-deps brings it"))
    func differences() throws {
        let oracle = try #require(Oracle.here, "Jinja is not here; Scripts/install-deps brings it")
        let cases = try oracle.cases(from: Self.seed, count: Self.count)
        #expect(cases.count > Self.count * 9 / 10)
        for fact in cases {
            guard let difference = fact.difference else { continue }
            let variables = String(decoding: fact.variables, as: UTF8.self)
            Issue.record("\(fact.template.debugDescription) with \(variables): \(difference)")
        }
    }
}
