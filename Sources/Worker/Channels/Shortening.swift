// Receivers take texts up to a length. A text that is longer is cut between two characters, as people see them, and ends
// in an ellipsis; no delivery fails for being long.

extension String {
    /// The text, or as much of its beginning as leaves room for an ellipsis in so many bytes of UTF-8.
    func shortened(bytes limit: Int) -> String { shortened(to: limit, ellipsis: 3) { $0.utf8.count } }

    /// The same for characters as providers count them: UTF-16 units, so that no way of counting finds more.
    func shortened(units limit: Int) -> String { shortened(to: limit, ellipsis: 1) { $0.utf16.count } }

    private func shortened(to limit: Int, ellipsis: Int, _ size: (Character) -> Int) -> String {
        var room = limit
        var cut = startIndex  // behind the last character that leaves room for the ellipsis
        var index = startIndex
        while index < endIndex {
            room -= size(self[index])
            guard room >= 0 else { return limit >= ellipsis ? self[..<cut] + "…" : "" }
            index = self.index(after: index)
            if room >= ellipsis { cut = index }
        }
        return self
    }

    /// Builds a body around the text, shortened until the body has at most so many bytes.
    func fitting(_ limit: Int, _ body: (String) -> [UInt8]) -> [UInt8] {
        var text = self
        while true {
            let built = body(text)
            guard built.count > limit, !text.isEmpty else { return built }
            // A byte of text is at least one of the body.
            text = text.shortened(bytes: text.utf8.count - (built.count - limit))
        }
    }

    /// The text on one line: runs of white space and control characters are one space.
    var onOneLine: String {
        var line = ""
        var isGap = false
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate: isGap = true
            default:
                if isGap, !line.isEmpty { line.append(" ") }
                isGap = false
                line.unicodeScalars.append(scalar)
            }
        }
        return line
    }
}

extension Notice {
    /// Title and message as one text, the title said once.
    var text: String {
        if title.isEmpty || message == title { return message }
        return message.isEmpty ? title : title + "\n" + message
    }
}
