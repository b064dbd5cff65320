// A template cut into tokens, by Jinja's rules for what is text and what is a tag. Jinja cuts with regular expressions;
// where the two could differ the comment says which rule is meant.

/// A piece of a template.
struct Token {
    enum Kind: Equatable {
        case text([UInt8])
        case outputBegin, outputEnd, statementBegin, statementEnd, end
        case name(String), string([UInt8]), integer(WholeNumber), float(Double)
        case sign(Sign)
    }
    /// The signs of expressions.
    enum Sign: String {
        case add = "+", sub = "-", mul = "*", div = "/", floor = "//", mod = "%", pow = "**", tilde = "~"
        case leftBracket = "[", rightBracket = "]", leftParen = "(", rightParen = ")"
        case leftBrace = "{", rightBrace = "}"
        case equal = "==", unequal = "!=", greater = ">", greaterEqual = ">=", less = "<", lessEqual = "<="
        case assign = "=", dot = ".", colon = ":", pipe = "|", comma = ",", semicolon = ";"
    }
    let kind: Kind
    /// Where it begins, in scalars.
    let offset: Int

    /// What it is, in words for a message.
    var words: String {
        switch kind {
        case .text: "text"
        case .outputBegin: "'{{'"
        case .outputEnd: "'}}'"
        case .statementBegin: "'{%'"
        case .statementEnd: "'%}'"
        case .end: "the end"
        case .name(let name): "'\(name.shortened)'"
        case .string: "a string"
        case .integer, .float: "a number"
        case .sign(let sign): "'\(sign.rawValue)'"
        }
    }
}

/// Cuts a template into tokens.
struct Lexer {
    let scalars: [Unicode.Scalar]
    let end: Int
    var i = 0
    var tokens: [Token] = []
    /// Closing signs that are awaited: inside brackets `}}` is two braces.
    private var awaited: [Token.Sign] = []

    /// The tokens of a template.
    static func tokens(of text: String) throws(TemplateError) -> [Token] {
        var lexer = Lexer(Array(text.unicodeScalars), dropsLastLineEnd: true)
        try lexer.template()
        return lexer.finished()
    }

    /// The tokens of an expression that stands alone.
    static func expression(_ text: String) throws(TemplateError) -> [Token] {
        var lexer = Lexer(Array(text.unicodeScalars), dropsLastLineEnd: false)
        lexer.skipSpace()
        while lexer.i < lexer.end {
            try lexer.expressionToken()
            lexer.skipSpace()
        }
        return lexer.finished()
    }

    private init(_ scalars: [Unicode.Scalar], dropsLastLineEnd: Bool) {
        self.scalars = scalars
        var end = scalars.count
        if dropsLastLineEnd, end > 0, scalars[end - 1] == "\n" || scalars[end - 1] == "\r" {
            end -= end > 1 && scalars[end - 1] == "\n" && scalars[end - 2] == "\r" ? 2 : 1
        }
        self.end = end
    }

    private func finished() -> [Token] { tokens + [Token(kind: .end, offset: end)] }

    func fault(_ reason: String, at offset: Int) -> TemplateError {
        let before = scalars[..<min(offset, scalars.count)]
        let line = 1 + before.count { $0 == "\n" }
        let column = 1 + before.reversed().prefix { $0 != "\n" }.count
        return TemplateError(reason: reason, offset: offset, line: line, column: column)
    }
}

// MARK: - Text and tags

extension Lexer {
    private mutating func template() throws(TemplateError) {
        while i < end {
            let start = i
            while i < end, !beginsTag(at: i) { i += 1 }
            let isStripped = i + 2 < end && scalars[i + 2] == "-"
            addText(start..<i, isStripped: i < end && isStripped)
            guard i < end else { return }
            switch scalars[i + 1] {
            case "#": try comment()
            case "{": try tag(.outputBegin, .outputEnd)
            default:
                if let raw = rawBegin(at: i) {
                    try self.raw(from: raw)
                } else {
                    try tag(.statementBegin, .statementEnd)
                }
            }
        }
    }

    private func beginsTag(at place: Int) -> Bool {
        guard scalars[place] == "{", place + 1 < end else { return false }
        return scalars[place + 1] == "{" || scalars[place + 1] == "%" || scalars[place + 1] == "#"
    }

    private mutating func addText(_ range: Range<Int>, isStripped: Bool) {
        var text = scalars[range]
        while isStripped, let last = text.last, PythonText.isSpace(last) { text.removeLast() }
        guard !text.isEmpty else { return }
        tokens.append(Token(kind: .text(PythonText.bytes(Self.withPlainLineEnds(text))), offset: range.lowerBound))
    }

    /// Every line end as a line feed.
    static func withPlainLineEnds(_ text: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar> {
        guard text.contains("\r") else { return text }
        var plain: [Unicode.Scalar] = []
        var wasReturn = false
        for scalar in text {
            if !(wasReturn && scalar == "\n") { plain.append(scalar == "\r" ? "\n" : scalar) }
            wasReturn = scalar == "\r"
        }
        return plain[...]
    }

    private mutating func comment() throws(TemplateError) {
        let open = i
        i += 2
        while i + 1 < end {
            if begins("#}", at: i) {
                let isStripping = scalars[i - 1] == "-" && i - 1 >= open + 2
                i += 2
                if isStripping { skipSpace() }
                return
            }
            i += 1
        }
        throw fault("the comment '{#' is never closed by '#}'", at: open)
    }

    /// Where the text behind `{% raw %}` begins; `nil` when this is another tag.
    private func rawBegin(at place: Int) -> Int? {
        guard let behind = word("raw", behindTagAt: place) else { return nil }
        if begins("%}", at: behind) { return behind + 2 }
        return begins("-%}", at: behind) ? behind + 3 : nil
    }

    /// The offset behind the word, and the white space around it, that follows `{%`.
    private func word(_ word: String, behindTagAt place: Int) -> Int? {
        guard begins("{%", at: place) else { return nil }
        var next = place + 2
        if next < end, scalars[next] == "-" || scalars[next] == "+" { next += 1 }
        next = space(from: next)
        guard begins(word, at: next) else { return nil }
        return space(from: next + word.unicodeScalars.count)
    }

    private mutating func raw(from start: Int) throws(TemplateError) {
        let open = i
        i = start
        if scalars[start - 3] == "-" { skipSpace() }
        let text = i
        while i < end {
            if let behind = word("endraw", behindTagAt: i), let close = closing(at: behind) {
                addText(text..<i, isStripped: scalars[i + 2] == "-")
                i = close.end
                if close.isStripping { skipSpace() }
                return
            }
            i += 1
        }
        throw fault("'{% raw %}' is never closed by '{% endraw %}'", at: open)
    }

    private func closing(at place: Int) -> (end: Int, isStripping: Bool)? {
        if begins("%}", at: place) { return (place + 2, false) }
        if begins("+%}", at: place) { return (place + 3, false) }
        return begins("-%}", at: place) ? (place + 3, true) : nil
    }

    private mutating func tag(_ begin: Token.Kind, _ close: Token.Kind) throws(TemplateError) {
        let open = i
        tokens.append(Token(kind: begin, offset: open))
        i += 2
        if i < end, scalars[i] == "-" || scalars[i] == "+" { i += 1 }
        awaited = []
        while true {
            skipSpace()
            guard i < end else {
                let isOutput = close == .outputEnd
                throw fault(
                    "'\(isOutput ? "{{" : "{%")' is never closed by '\(isOutput ? "}}" : "%}")'", at: open)
            }
            if awaited.isEmpty, let behind = tagEnd(close) {
                tokens.append(Token(kind: close, offset: i))
                i = behind.end
                if behind.isStripping { skipSpace() }
                return
            }
            try expressionToken()
        }
    }

    private func tagEnd(_ close: Token.Kind) -> (end: Int, isStripping: Bool)? {
        if close == .statementEnd { return closing(at: i) }
        if begins("}}", at: i) { return (i + 2, false) }
        return begins("-}}", at: i) ? (i + 3, true) : nil
    }

    private func begins(_ word: String, at place: Int) -> Bool {
        var place = place
        for scalar in word.unicodeScalars {
            guard place < end, scalars[place] == scalar else { return false }
            place += 1
        }
        return true
    }

    private func space(from place: Int) -> Int {
        var place = place
        while place < end, PythonText.isSpace(scalars[place]) { place += 1 }
        return place
    }

    private mutating func skipSpace() { i = space(from: i) }
}

// MARK: - Expressions

extension Lexer {
    private mutating func expressionToken() throws(TemplateError) {
        let start = i
        let scalar = scalars[i]
        if ("0"..."9").contains(scalar) {
            try number()
        } else if scalar == "_" || scalar.properties.isXIDStart {
            while i < end, scalars[i] == "_" || scalars[i].properties.isXIDContinue { i += 1 }
            tokens.append(Token(kind: .name(string(start..<i)), offset: start))
        } else if scalar == "\"" || scalar == "'" {
            try quoted(scalar)
        } else {
            try sign()
        }
    }

    private mutating func sign() throws(TemplateError) {
        for length in [2, 1] where i + length <= end {
            guard let sign = Token.Sign(rawValue: string(i..<i + length)) else { continue }
            switch sign {
            case .leftParen: awaited.append(.rightParen)
            case .leftBracket: awaited.append(.rightBracket)
            case .leftBrace: awaited.append(.rightBrace)
            case .rightParen, .rightBracket, .rightBrace:
                guard let expected = awaited.popLast() else { throw fault("'\(sign.rawValue)' closes nothing", at: i) }
                guard expected == sign else {
                    throw fault("'\(expected.rawValue)' is expected before '\(sign.rawValue)'", at: i)
                }
            default: break
            }
            tokens.append(Token(kind: .sign(sign), offset: i))
            i += length
            return
        }
        throw fault("'\(string(i..<i + 1).shortened)' means nothing in an expression", at: i)
    }

    /// Digits with single underscores between; a fraction and an exponent unless a point stands before (`a.1.5`).
    private mutating func number() throws(TemplateError) {
        let start = i
        let isBehindPoint = start > 0 && scalars[start - 1] == "."
        if !isBehindPoint, let float = floatEnd(from: start) {
            i = float
            let text = string(start..<float).unicodeScalars.filter { $0 != "_" }
            guard let value = Double(String(String.UnicodeScalarView(text))) else {
                throw fault("this is no number", at: start)
            }
            return tokens.append(Token(kind: .float(value), offset: start))
        }
        let (base, first) = radix(at: start)
        i = digitsEnd(from: first, base: base, mayBeginWithUnderscore: base != 10) ?? start + 1
        if base == 10, scalars[start] == "0" {  // 0 goes on with zeros only: 007 is no number
            i = start + 1
            while i < end, scalars[i] == "0" || (scalars[i] == "_" && i + 1 < end && scalars[i + 1] == "0") { i += 1 }
        }
        let digits = string((base == 10 ? start : first)..<i).utf8.filter { $0 != UInt8(ascii: "_") }
        guard digits.count <= 4300 else { throw fault("the number has more than 4300 digits", at: start) }
        tokens.append(Token(kind: .integer(WholeNumber(digits: digits, base: base)), offset: start))
    }

    private func radix(at start: Int) -> (base: Int, first: Int) {
        guard scalars[start] == "0", start + 1 < end else { return (10, start) }
        let base =
            switch scalars[start + 1] {
            case "x", "X": 16
            case "o", "O": 8
            case "b", "B": 2
            default: 10
            }
        guard base != 10, digitsEnd(from: start + 2, base: base, mayBeginWithUnderscore: true) != nil else {
            return (10, start)
        }
        return (base, start + 2)
    }

    private func digitsEnd(from start: Int, base: Int, mayBeginWithUnderscore: Bool = false) -> Int? {
        var place = start
        var isLast = !mayBeginWithUnderscore  // whether an underscore may not come now
        var behind: Int?
        while place < end {
            if scalars[place] == "_", !isLast {
                isLast = true
            } else if scalars[place].isASCII, WholeNumber.digitValue(UInt8(scalars[place].value)) < base {
                isLast = false
                behind = place + 1
            } else {
                break
            }
            place += 1
        }
        return behind
    }

    private func floatEnd(from start: Int) -> Int? {
        guard var place = digitsEnd(from: start, base: 10) else { return nil }
        var isFloat = false
        if place < end, scalars[place] == ".", let fraction = digitsEnd(from: place + 1, base: 10) {
            (place, isFloat) = (fraction, true)
        }
        if place < end, scalars[place] == "e" || scalars[place] == "E" {
            let isSigned = place + 1 < end && (scalars[place + 1] == "+" || scalars[place + 1] == "-")
            if let exponent = digitsEnd(from: place + (isSigned ? 2 : 1), base: 10) { return exponent }
        }
        return isFloat ? place : nil
    }

    private func string(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }
}
