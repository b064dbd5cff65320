/// A Swift file's text in two views: as written, and with comments and literals blanked, so that a rule about code does not
/// stumble over prose.
///
/// A small lexer, not a parser: it knows line and nested block comments, plain, multi-line and raw strings with
/// interpolations (blanked with their string). Lines keep their numbers.
struct SwiftText {
    /// The lines as written.
    let lines: [String]
    /// The lines with every comment and literal replaced by blanks.
    let code: [String]

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var lexer = Lexer(Array(text.utf8))
        code = lexer.blanked().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The functions with bodies: where each begins and how many lines it has.
    func functions() -> [(line: Int, count: Int)] {
        var found: [(line: Int, count: Int)] = []
        let text = Array(code.joined(separator: "\n").utf8)
        var word: [UInt8] = []
        for index in text.indices {
            if isWord(text[index]) {
                word.append(text[index])
                continue
            }
            defer { word = [] }
            guard ["func", "init", "deinit", "subscript"].contains(String(decoding: word, as: UTF8.self)) else {
                continue
            }
            // A call of an initialiser is no declaration.
            if index > word.count, [UInt8(ascii: "."), UInt8(ascii: "`")].contains(text[index - word.count - 1]) {
                continue
            }
            guard let end = endOfBody(in: text, from: index) else { continue }
            let first = text[..<index].count { $0 == newline }
            found.append((first + 1, text[index..<end].count { $0 == newline } + 1))
        }
        return found
    }

    /// The offset of the brace that closes the declaration's body; `nil` when it has none, as in a protocol.
    private func endOfBody(in text: [UInt8], from start: Int) -> Int? {
        var (round, curly) = (0, 0)
        for index in start..<text.count {
            switch text[index] {
            case UInt8(ascii: "("), UInt8(ascii: "["): round += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"):
                round -= 1
                if round < 0 { return nil }
            case UInt8(ascii: "{") where round == 0 || curly > 0: curly += 1
            case UInt8(ascii: "}") where round == 0 || curly > 0:
                curly -= 1
                if curly < 0 { return nil }
                if curly == 0 { return index }
            case newline where round == 0 && curly == 0:
                if !continues(text, after: index) { return nil }
            default: break
            }
        }
        return nil
    }

    /// Whether a signature goes on in the next line.
    private func continues(_ text: [UInt8], after newline: Int) -> Bool {
        let next = text[(newline + 1)...].drop { $0 == space }.prefix(8)
        let words = ["{", "where", ")", "->", "async", "throws", "rethrows"]
        if words.contains(where: { next.starts(with: $0.utf8) }) { return true }
        let last = text[..<newline].last { $0 != space }
        return last == UInt8(ascii: "(") || last == UInt8(ascii: ",") || last == UInt8(ascii: ">")
    }
}

private let newline = UInt8(ascii: "\n"), space = UInt8(ascii: " "), quote = UInt8(ascii: "\"")
private let hash = UInt8(ascii: "#"), slash = UInt8(ascii: "/"), star = UInt8(ascii: "*"),
    backslash = UInt8(ascii: "\\")

private func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), 0x80...:
        true
    default: false
    }
}

private struct Lexer {
    private let text: [UInt8]
    private var output: [UInt8] = []
    private var place = 0

    init(_ text: [UInt8]) { self.text = text }

    mutating func blanked() -> String {
        while place < text.count {
            if starts("//") {
                blank { !$0.starts("\n") }
            } else if starts("/*") {
                blockComment()
            } else if text[place] == quote || (text[place] == hash && hashesBeforeQuote() != nil) {
                string()
            } else {
                keep()
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private func starts(_ prefix: String) -> Bool { text[place...].starts(with: prefix.utf8) }

    private mutating func keep() {
        output.append(text[place])
        place += 1
    }

    private mutating func skip(_ count: Int = 1) {
        for _ in 0..<count where place < text.count {
            output.append(text[place] == newline ? newline : space)
            place += 1
        }
    }

    private mutating func blank(while goesOn: (Lexer) -> Bool) { while place < text.count, goesOn(self) { skip() } }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                skip(2)
            } else if starts("*/") {
                depth -= 1
                skip(2)
            } else {
                skip()
            }
        } while depth > 0 && place < text.count
    }

    private func hashesBeforeQuote() -> Int? {
        let hashes = text[place...].prefix { $0 == hash }.count
        return text[(place + hashes)...].first == quote ? hashes : nil
    }

    private mutating func string() {
        let hashes = hashesBeforeQuote() ?? 0
        skip(hashes)
        let isLong = starts("\"\"\"")
        skip(isLong ? 3 : 1)
        let marks = String(repeating: "#", count: hashes)
        let end = (isLong ? "\"\"\"" : "\"") + marks
        while place < text.count, !starts(end) {
            if starts("\\\(marks)(") {
                skip(2 + hashes)
                interpolation()
            } else if starts("\\\(marks)") {
                skip(2 + hashes)
            } else if !isLong, text[place] == newline {
                return
            } else {
                skip()
            }
        }
        skip(end.utf8.count)
    }

    private mutating func interpolation() {
        var depth = 1
        while place < text.count, depth > 0 {
            if text[place] == quote || (text[place] == hash && hashesBeforeQuote() != nil) {
                string()
                continue
            }
            if text[place] == UInt8(ascii: "(") { depth += 1 }
            if text[place] == UInt8(ascii: ")") { depth -= 1 }
            skip()
        }
    }
}
