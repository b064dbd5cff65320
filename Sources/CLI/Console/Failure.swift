import ArgumentParser
import CarillonLedger
import CarillonProducer
import CarillonStream
import Foundation

/// Why a command ends without having done what it was asked: a line for people, and a code for programs.
struct Failure: Error {
    /// The codes of CONTRACT §4.
    enum Code: Int32 { case failed = 1, usage = 2, problems = 3 }

    let code: Code
    /// What is wrong and what to do; empty when it was said already.
    let lines: [String]

    init(_ line: String, code: Code = .failed) { (self.code, lines) = (code, [line]) }
    private init(code: Code, lines: [String]) { (self.code, self.lines) = (code, lines) }

    /// A usage error, found after parsing.
    static func usage(_ line: String) -> Failure { Failure(line, code: .usage) }
    /// The check found problems and has printed them.
    static let problemsFound = Failure(code: .problems, lines: [])
    /// It failed and said so.
    static let said = Failure(code: .failed, lines: [])

    /// Prints an error the way every command does, and says which code to exit with.
    static func report(_ error: any Error) -> Int32 {
        Console.flush()
        let failure = failure(of: error)
        for line in failure?.lines ?? [] {
            Console.error("carillon: " + line.split(whereSeparator: \.isNewline).joined(separator: " "))
        }
        if let failure { return failure.code.rawValue }
        if Carillon.exitCode(for: error) == .success {
            Console.out(Carillon.fullMessage(for: error))
            Console.flush()
            return 0
        }
        if let code = error as? ExitCode { return code.rawValue }
        Console.error("carillon: " + usageLine(for: error))
        return Code.usage.rawValue
    }

    private static func failure(of error: any Error) -> Failure? {
        switch error {
        case let failure as Failure: failure
        case let error as ConfigurationError: Failure(code: .usage, lines: error.problems)
        case let error as StreamError: Failure(error.description + error.advice)
        case let error as LedgerError: Failure(error.description + error.advice)
        case let error as SecretError: Failure("\(error)")
        case let error as SpoolError: Failure(error.description)
        case is CleanExit, is ValidationError, is ExitCode: nil
        default: Carillon.exitCode(for: error) == .failure ? Failure("\(error)") : nil
        }
    }

    /// Argument-parser's message and where to read on, in one line.
    private static func usageLine(for error: any Error) -> String {
        let message = Carillon.message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
        let hint = Carillon.fullMessage(for: error).split(whereSeparator: \.isNewline).last { $0.contains("See '") }
        return message
            + (hint.map { "; see " + $0.drop { $0 != "'" }.prefix { $0 != " " || true } } ?? "")
            .replacingOccurrences(of: " for more information.", with: "")
    }
}

/// A newer file needs the Carillon that wrote it; only an older one can be brought up to date.
private func schemaAdvice(found: Int, known: Int) -> String {
    found > known
        ? "; run the Carillon that wrote it" : "; start a worker of this version to bring it up to date"
}

extension StreamError {
    /// What to do about it.
    var advice: String {
        switch kind {
        case .missing: "; start `carillon serve` or `carillon worker` once: they make it"
        case .full: "; make room on the disk and try again"
        case .busy: "; another process holds it, try again"
        case .unreachable: "; check that it is there and try again"
        case .tooLarge: "; put what is large behind a URL"
        case .schema(let found, let known): schemaAdvice(found: found, known: known)
        case .corrupt: "; `stream` has to name a stream of Carillon's, restore it or move it away"
        case .other: "; check `stream` in the configuration and the permissions there"
        }
    }
}

extension LedgerError {
    /// What to do about it.
    var advice: String {
        switch kind {
        case .missing: "; start `carillon serve` or `carillon worker` once: they make it"
        case .full: "; make room on the disk and try again"
        case .busy: "; another process holds it, try again"
        case .unreachable: "; check that it is there and try again"
        case .schema(let found, let known): schemaAdvice(found: found, known: known)
        case .corrupt: "; ledger.path or ledger.url has to name a ledger of Carillon's, restore it or move it away"
        case .other: "; check ledger.path or ledger.url, and its permissions"
        }
    }
}
