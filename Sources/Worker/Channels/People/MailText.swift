import CarillonEvents

// The small print of mail: addresses, dates, words of headers, lines of bodies. Everything that comes from an event or a
// document goes through here before it stands in a message, so that nothing can end its line or begin a header.

/// An address of mail, perhaps with a name before it.
struct MailAddress: Sendable, Equatable {
    var display: String?
    var address: String

    /// Reads `carillon@example.com` or `Carillon <carillon@example.com>`; `nil` for anything else.
    init?(_ text: String) {
        if text.hasSuffix(">"), let open = text.lastIndex(of: "<") {
            let name = text[..<open].filter { $0 != "\"" }
            address = String(text[text.index(after: open)...].dropLast())
            display = String(name).onOneLine
        } else {
            (address, display) = (text, nil)
        }
        guard Self.isValid(address) else { return nil }
    }

    /// A local part of plain letters and a domain with a dot, as servers everywhere take them.
    static func isValid(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, (1...64).contains(parts[0].count), parts[1].count <= 253 else { return false }
        let names = parts[0].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let labels = parts[1].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return names.allSatisfy { !$0.isEmpty && $0.allSatisfy(isLocal) } && labels.count >= 2
            && labels.allSatisfy { label in
                (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                    && label.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") }
            }
    }

    private static func isLocal(_ byte: UInt8) -> Bool {
        byte.isLetterOrDigit || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    var domain: String { String(address.split(separator: "@").last ?? "") }

    /// As it stands in a header.
    var header: String {
        guard let display, !display.isEmpty else { return address }
        let isPlain = display.utf8.allSatisfy { $0.isLetterOrDigit || $0 == 0x20 || $0 == UInt8(ascii: "-") }
        return (isPlain ? display : MailText.words(display)) + " <\(address)>"
    }
}

enum MailText {
    /// A header's text: as it is when it is short ASCII, else RFC 2047's encoded words, folded.
    static func words(_ text: String) -> String {
        let isPlain = text.utf8.count <= 60 && text.utf8.allSatisfy { (0x20..<0x7f).contains($0) }
        if isPlain, !text.contains("=?") { return text }
        // 75 bytes a word: 12 of frame leave 63, that is 45 bytes before base64.
        var pieces: [[UInt8]] = [[]]
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if pieces[pieces.count - 1].count + bytes.count > 45 { pieces.append([]) }
            pieces[pieces.count - 1] += bytes
        }
        return pieces.map { "=?UTF-8?B?\(Base64.text($0))?=" }.joined(separator: "\r\n ")
    }

    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]  // the epoch was a Thursday
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `Mon, 05 Jan 2026 08:00:00 +0000`, as RFC 5322 writes a moment.
    static func date(_ moment: Timestamp) -> String {
        let text = Array(moment.rfc3339)  // 2026-01-05T08:00:00.250Z
        let month = Int(String(text[5..<7])).map { months[max(1, min(12, $0)) - 1] } ?? ""
        let elapsed = moment.seconds >= 0 ? moment.seconds / 86_400 : (moment.seconds - 86_399) / 86_400
        let day = days[Int(((elapsed % 7) + 7) % 7)]
        return "\(day), \(String(text[8..<10])) \(month) \(String(text[..<4])) \(String(text[11..<19])) +0000"
    }

    /// The text in quoted-printable: ASCII lines of at most 76 characters, CRLF at their ends.
    static func quotedPrintable(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            var width = 0
            let bytes = Array(line.utf8)
            for (place, byte) in bytes.enumerated() {
                let isLast = place == bytes.count - 1
                let code = code(of: byte, isFirst: width == 0, isLast: isLast)
                if width + code.count > 75 {
                    out += [UInt8(ascii: "="), 13, 10]
                    width = 0
                }
                out += code
                width += code.count
            }
            out += [13, 10]
        }
        return out
    }

    /// A space at a line's end would be lost, and a dot at its beginning is a sign to mail servers.
    private static func code(of byte: UInt8, isFirst: Bool, isLast: Bool) -> [UInt8] {
        let isSpace = byte == 0x20 || byte == 0x09
        let isPlain = (0x21..<0x7f).contains(byte) && byte != UInt8(ascii: "=") || isSpace
        if isPlain, !(isLast && isSpace), !(isFirst && byte == UInt8(ascii: ".")) { return [byte] }
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
}
