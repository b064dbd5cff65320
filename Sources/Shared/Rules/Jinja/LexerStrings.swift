// Strings in expressions, with Python's escapes.

extension Lexer {
    mutating func quoted(_ quote: Unicode.Scalar) throws(TemplateError) {
        let start = i
        i += 1
        while i < end, scalars[i] != quote { i += scalars[i] == "\\" ? 2 : 1 }
        guard i < end else { throw fault("the string is never closed by \(quote)", at: start) }
        let inner = scalars[start + 1..<i]
        i += 1
        let plain = Self.withPlainLineEnds(inner)
        tokens.append(Token(kind: .string(try unescaped(plain, from: start + 1)), offset: start))
    }

    /// Undoes Python's escapes; an unknown one stays as it is.
    ///
    /// - Parameter start: where the text stands in the template, for an error's place.
    private func unescaped(_ inner: ArraySlice<Unicode.Scalar>, from start: Int) throws(TemplateError) -> [UInt8] {
        guard inner.contains("\\") else { return PythonText.bytes(inner) }
        func fault(_ reason: String, at place: Int) -> TemplateError {
            self.fault(reason, at: start + place - inner.startIndex)
        }
        var result: [Unicode.Scalar] = []
        var place = inner.startIndex
        while place < inner.endIndex {
            let scalar = inner[place]
            guard scalar == "\\", place + 1 < inner.endIndex else {
                result.append(scalar)
                place += 1
                continue
            }
            let letter = inner[place + 1]
            if let plain = Self.escapes[letter] {
                result.append(plain)
                place += 2
            } else if letter == "\n" {
                place += 2
            } else if let width = Self.widths[letter] {
                let digits = inner[(place + 2)...].prefix(width)
                guard digits.count == width, let code = Self.scalar(digits, base: 16) else {
                    throw fault("\(width) digits of a character are expected behind '\\\(letter)'", at: place)
                }
                result.append(code)
                place += 2 + width
            } else if ("0"..."7").contains(letter) {
                let digits = inner[(place + 1)...].prefix(3).prefix { ("0"..."7").contains($0) }
                if let code = Self.scalar(digits, base: 8) { result.append(code) }
                place += 1 + digits.count
            } else if letter == "N" {
                throw fault("'\\N' needs names of characters, which are not known here; write '\\uXXXX'", at: place)
            } else {
                result += [scalar, letter]
                place += 2
            }
        }
        return PythonText.bytes(result)
    }

    private static let escapes: [Unicode.Scalar: Unicode.Scalar] = [
        "n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}", "f": "\u{C}",
        "v": "\u{B}",
    ]
    private static let widths: [Unicode.Scalar: Int] = ["x": 2, "u": 4, "U": 8]

    private static func scalar(_ digits: ArraySlice<Unicode.Scalar>, base: UInt32) -> Unicode.Scalar? {
        var value: UInt32 = 0
        for digit in digits {
            let number = digit.isASCII ? WholeNumber.digitValue(UInt8(digit.value)) : 36
            guard number < base else { return nil }
            value = value &* base &+ UInt32(number)
        }
        return Unicode.Scalar(value)
    }
}
