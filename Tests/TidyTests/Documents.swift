/// Links of Markdown files, resolved inside the repository.
enum Documents {
    /// Links that lead nowhere.
    ///
    /// `read` gives a file's text, empty when there is none; folders exist too.
    static func deadLinks(
        in path: String, _ text: String, exists: (String) -> Bool, read: (String) -> String
    ) -> [Violation] {
        var found: [Violation] = []
        for (number, link) in links(in: text) {
            guard !["http://", "https://", "mailto:"].contains(where: { link.hasPrefix($0) }) else { continue }
            let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let target = parts[0].isEmpty ? path : resolve(String(parts[0]), from: path)
            guard let target, exists(target) else {
                found.append(Violation(path: path, line: number, words: "\(link) leads nowhere"))
                continue
            }
            if parts.count == 2, target.hasSuffix(".md"), !anchors(of: read(target)).contains(String(parts[1])) {
                found.append(Violation(path: path, line: number, words: "\(link) names no heading"))
            }
        }
        return found
    }

    /// Each `[text](target)` outside code, with its line.
    static func links(in text: String) -> [(line: Int, target: String)] {
        var found: [(line: Int, target: String)] = []
        for (number, line) in prose(text) {
            // A span of code may show brackets.
            let outside = line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .map { $0.offset % 2 == 0 ? String($0.element) : "code" }.joined()
            var rest = outside[...]
            while let open = rest.firstRange(of: "](") {
                rest = rest[open.upperBound...]
                guard let close = rest.firstIndex(of: ")") else { break }
                let target = rest[..<close].split(separator: " ").first.map(String.init) ?? ""
                found.append((number, target))
            }
        }
        return found
    }

    /// What GitHub makes of the headings.
    static func anchors(of text: String) -> Set<String> {
        Set(
            prose(text).filter { $0.line.hasPrefix("#") }.map { heading in
                let words = heading.line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
                return String(
                    words.compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || "-_".contains($0) ? $0 : nil })
            })
    }

    /// The lines outside fenced code.
    private static func prose(_ text: String) -> [(number: Int, line: String)] {
        var isFenced = false
        var lines: [(number: Int, line: String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isFenced.toggle()
            } else if !isFenced {
                lines.append((index + 1, String(line)))
            }
        }
        return lines
    }

    /// A relative target as a path from the root; `nil` when it leaves the repository.
    private static func resolve(_ target: String, from path: String) -> String? {
        var parts = target.hasPrefix("/") ? [] : path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(String(part))
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.joined(separator: "/")
    }

    /// Numbers that two decisions have, and names without a number.
    static func decisionTroubles(_ names: [String]) -> [String] {
        var taken: [Substring: String] = [:]
        var troubles: [String] = []
        for name in names.sorted() where name != "refused.md" && name != "README.md" {
            let number = name.prefix(4)
            if number.count < 4 || !number.allSatisfy(\.isNumber) || !name.dropFirst(4).hasPrefix("-") {
                troubles.append("\(name) has no number")
            } else if let other = taken[number] {
                troubles.append("\(name) and \(other) have one number")
            }
            taken[number] = name
        }
        return troubles
    }
}
