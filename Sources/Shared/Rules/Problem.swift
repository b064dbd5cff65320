/// Something wrong with a rule document, at its place.
public struct Problem: Sendable, Hashable, CustomStringConvertible {
    /// The file's name as the caller gave it.
    public let file: String
    /// The line and the column, both from 1; a column counts Unicode scalars.
    public let line, column: Int
    /// What is wrong and, where it can be said, what to write instead.
    ///
    /// Holds no secret.
    public let message: String
    /// Whether the document still works as written.
    public let isWarning: Bool

    /// Makes a problem.
    public init(file: String, line: Int, column: Int, message: String, isWarning: Bool = false) {
        (self.file, self.line, self.column) = (file, line, column)
        (self.message, self.isWarning) = (message, isWarning)
    }

    /// `FILE:LINE:COLUMN: message`, as compilers write it.
    public var description: String { "\(file):\(line):\(column): \(isWarning ? "warning: " : "")\(message)" }
}

/// A file while it is read.
final class Source {
    let file: String
    let text: String
    private lazy var lines = text.unicodeScalars.split(omittingEmptySubsequences: false) { $0 == "\n" }

    /// Leaves out a byte order mark: it is no part of the text.
    init(file: String, text: String) {
        self.file = file
        self.text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// The place in its bounds: a parser may stop behind the text.
    func place(line: Int, column: Int) -> Place {
        line <= lines.count
            ? Place(source: self, line: max(line, 1), column: max(column, 1))
            : Place(source: self, line: lines.count, column: 1)
    }

    /// A line by its number from 1, without its end; empty when there is none.
    func line(_ number: Int) -> Substring.UnicodeScalarView {
        guard lines.indices.contains(number - 1) else { return Substring().unicodeScalars }
        let line = lines[number - 1]
        return line.last == "\r" ? line.dropLast() : line
    }
}

/// A place in a file.
struct Place {
    let source: Source
    var line: Int
    var column: Int
}

/// The problems found so far.
///
/// Every one is wanted, but a hostile file may not fill the memory with them.
struct Findings {
    static let limit = 1000
    private(set) var problems: [Problem] = []
    private var left: (count: Int, first: Problem)?
    /// How many fields the patterns of the file have, by branch: a few lines of `$or` can make many.
    var patternFields = 0
    /// Whether the documents are in force: what this machine alone lacks is no error then.
    var areApplied = false

    /// Whether nothing found so far forbids the documents to be used.
    var areWarnings: Bool { problems.allSatisfy(\.isWarning) && left == nil }

    mutating func report(_ message: String, at place: Place, isWarning: Bool = false) {
        add(
            Problem(
                file: place.source.file, line: place.line, column: place.column, message: message,
                isWarning: isWarning))
    }

    private mutating func add(_ problem: Problem) {
        if problems.count < Self.limit {
            problems.append(problem)
        } else {
            left = ((left?.count ?? 0) + 1, left?.first ?? problem)
        }
    }

    mutating func warn(_ message: String, at place: Place) { report(message, at: place, isWarning: true) }
    mutating func notYet(_ what: String, at place: Place) { report("not yet: \(what)", at: place) }

    /// Adds what another reading found.
    mutating func add(_ other: Findings) {
        for problem in other.problems { add(problem) }
        guard let more = other.left else { return }
        left = ((left?.count ?? 0) + more.count, left?.first ?? more.first)
    }

    /// What did not fit, as one last problem; it forbids the documents, as nobody looked at it.
    var rest: Problem? {
        left.map { count, first in
            Problem(file: first.file, line: first.line, column: first.column, message: "and \(count) more problems")
        }
    }
}
