// What an address of a person may look like. Whether somebody is there only a message can tell.

enum MailAddress {
    /// What is wrong with an address of mail, to follow "the mail address 'x'"; `nil` when nothing is.
    ///
    /// `local@domain` in ASCII, without quoting and without a display name; the domain has a point.
    static func fault(of text: String) -> String? {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return "has a space or another sign that addresses do not have; write name@example.com"
        }
        guard let at = text.lastIndex(of: "@") else { return "has no '@'; write name@example.com" }
        let (local, domain) = (text[..<at], text[text.index(after: at)...])
        guard (1...64).contains(local.utf8.count), text.utf8.count <= 254 else {
            return local.isEmpty ? "has nothing before the '@'" : "is too long: 64 bytes before the '@', 254 in all"
        }
        let atoms = local.split(separator: ".", omittingEmptySubsequences: false)
        guard atoms.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isAtom) }) else {
            return "has signs before the '@' that need quoting, which is not supported"
        }
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2 else {
            return "has a domain without a point; write the whole domain, such as example.com"
        }
        guard labels.allSatisfy(isLabel), labels.last?.utf8.contains(where: { !(0x30...0x39).contains($0) }) == true
        else { return "has a domain that is none; write one such as example.com" }
        return nil
    }

    private static func isAtom(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
            || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
            && label.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "-")
            }
    }
}

enum PhoneNumber {
    /// What is wrong with a number, to follow "the phone number 'x'"; `nil` when it is E.164.
    static func fault(of text: String) -> String? {
        let digits = text.utf8.filter { (0x30...0x39).contains($0) }
        let isPlain = text.utf8.allSatisfy { (0x30...0x39).contains($0) || " -().+/".utf8.contains($0) }
        if text.hasPrefix("+"), digits.count == text.utf8.count - 1 {
            if digits.first == 0x30 { return "begins with +0, and no country's code does" }
            return (7...15).contains(digits.count) ? nil : "has \(digits.count) digits; E.164 has 7 to 15"
        }
        let bare = String(decoding: digits, as: UTF8.self)
        if text.hasPrefix("+"), isPlain, (7...15).contains(digits.count) {
            return "has more than digits; write +\(bare)"
        }
        return "is not E.164; write '+', the country's code and the number, such as +8613800000001"
    }
}
