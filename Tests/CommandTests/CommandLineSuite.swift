import Foundation
import Testing

@Suite("Command line: codes, one-line errors, help that teaches", .timeLimit(.minutes(5)))
struct CommandLineSuite {
    private let tool: Tool

    init() throws { tool = try Tool() }

    static let commands: [[String]] = [
        ["serve"], ["worker"], ["publish"], ["rules", "check"], ["rules", "apply"], ["rules", "list"],
        ["rules", "test"],
        ["secrets", "set"], ["secrets", "list"], ["secrets", "rm"], ["secrets", "rekey"], ["deliveries", "list"],
        ["deliveries", "show"],
        ["deliveries", "retry"], ["deliveries", "cancel"], ["dead", "list"], ["dead", "retry"], ["poison", "list"],
        ["poison", "show"], ["status"], ["quota", "show"], ["quota", "reset"],
        ["verify"],
        ["sink"],
    ]

    @Test("every command's help has an example and says --config", arguments: commands)
    func help(command: [String]) throws {
        let result = try tool.run(command + ["--help"])
        #expect(result.code == 0 && result.error.isEmpty)
        #expect(result.out.contains("carillon " + command.joined(separator: " ")))
        #expect(result.out.contains("--config"))
        #expect(
            result.out.components(separatedBy: "carillon " + command.joined(separator: " ")).count > 2, "no example")
    }

    @Test("a usage error is one line that says where to read on, exit 2", arguments: commands)
    func usage(command: [String]) throws {
        let result = try tool.run(command + ["--no-such-option"])
        #expect(result.code == 2 && result.out.isEmpty)
        #expect(result.errors.count == 1 && result.error.hasPrefix("carillon: ") && result.error.contains("--help"))
    }

    @Test(
        "an example stands in a help page as it is to be pasted: no line of it is broken by the width",
        arguments: commands + [[], ["rules"], ["secrets"], ["deliveries"], ["dead"], ["poison"]])
    func examples(command: [String]) throws {
        let page = try tool.run(command + ["--help"]).out
        let text = page.components(separatedBy: "USAGE:")[0].components(separatedBy: "\n")
        for (line, next) in zip(text, text.dropFirst()) where line.hasPrefix("  ") {
            #expect(line.count <= 78 && (next.isEmpty || next.hasPrefix("  ")), "\(line)\n\(next)")
        }
    }

    @Test(
        "a configuration that cannot be used is told with its place, exit 2",
        arguments: commands.filter { $0 != ["secrets", "set"] })
    func badConfiguration(command: [String]) throws {
        let path = try tool.file("c.yaml", Array("strem: {}\n".utf8))
        let more: [[String]: [String]] = [
            ["publish"]: ["x"], ["rules", "check"]: ["x"], ["rules", "apply"]: ["x"],
            ["rules", "test"]: ["--rules", "x"],
            ["secrets", "list"]: ["--workspace", "w"], ["secrets", "rm"]: ["--workspace", "w", "n"],
            ["deliveries", "show"]: ["0"], ["poison", "show"]: ["0:0"], ["sink"]: ["--listen", "127.0.0.1:0"],
        ]
        let result = try tool.run(command + (more[command] ?? []) + ["--config", path])
        #expect(result.code == 2)
        #expect(result.error == "carillon: \(path):1:1: unknown key strem; did you mean stream?\n")
    }

    @Test(
        "commands that need a ledger say how one comes to be",
        arguments: [
            ["status"], ["verify"], ["deliveries", "list"], ["rules", "list"], ["poison", "list"],
            ["secrets", "list", "--workspace", "w"],
        ])
    func noLedger(command: [String]) throws {
        let result = try tool.run(command)
        #expect(result.code == 1 && result.errors.count == 1 && result.error.contains("carillon serve"))
        #expect(!FileManager.default.fileExists(atPath: tool.home))
    }

    @Test(
        "a ledger or stream that is another file is refused and left as it is", arguments: ["ledger.db", "stream.db"])
    func foreignFile(name: String) throws {
        let bytes = Array("this is a letter to a friend, and no database at all".utf8)
        let path = try tool.file("home/" + name, bytes)
        let result = try tool.run("worker", "--until-idle")
        #expect(result.code == 1 && result.errors.last?.hasPrefix("carillon: ") == true, "\(result.error)")
        #expect(FileManager.default.contents(atPath: path).map(Array.init) == bytes)
    }

    @Test("changes to deliveries want to be told which", arguments: ["retry", "cancel"])
    func whichDeliveries(command: String) throws {
        try tool.makeDeployment()
        let result = try tool.run("deliveries", command)
        #expect(result.code == 2 && result.error.contains("--all"))
        #expect(try tool.run("deliveries", command, "--all").out.hasPrefix("0 deliveries"))
        #expect(try tool.run("deliveries", command, "xyz").code == 2)
        #expect(try tool.run("deliveries", command, "--state", "lost").code == 2)
        let unknown = String(repeating: "0", count: 32)
        #expect(try tool.run("deliveries", "show", unknown).code == 1)
        let nothing = try tool.run("deliveries", command, unknown)
        #expect(nothing.code == 1 && nothing.error.contains("there is no delivery \(unknown)"))
        #expect(try tool.run("deliveries", command, "--state", "suppressed").code == 2)
    }

    @Test("a reader that closes early ends the command quietly; a closed standard output does no harm")
    func closedOutput() throws {
        try tool.makeDeployment()
        let input = (0..<5_000).map { event("e\($0)") }.joined(separator: "\n")
        let events = try tool.file("events.jsonl", Array(input.utf8))
        let rules = try tool.rules(["a"])
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c",
            "set -e; \"$0\" rules test --rules \"$1\" \"$2\" | head -1; \"$0\" status >&-; \"$0\" verify <&- >&- 2>&-",
            Tool.binary, rules, events,
        ]
        shell.environment = ["CARILLON_HOME": tool.home, "PATH": "/usr/bin:/bin"]
        let (out, error) = (Pipe(), Pipe())
        (shell.standardOutput, shell.standardError) = (out, error)
        try shell.run()
        let said = error.fileHandleForReading.readDataToEndOfFile()
        #expect(
            String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                == "{\"id\":\"e0\",\"matched\":[\"a\"]}\n")
        shell.waitUntilExit()
        #expect(said.isEmpty && shell.terminationStatus == 0, "\(String(decoding: said, as: UTF8.self))")
        #expect(try tool.run("verify").code == 0)
    }
}
