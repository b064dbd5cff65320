import CarillonRules

/// Reads a channel's settings: a key that is not known is refused, never ignored.
struct SettingsReading {
    let channel: String
    private let values: [String: String]

    /// - Parameter known: the keys this channel has.
    init(_ channel: String, _ settings: ChannelSettings, known: [String]) throws(ChannelSettingsError) {
        self.channel = channel
        values = settings.values
        for key in settings.values.keys.sorted() where !known.contains(key) {
            let all = known.isEmpty ? "none" : known.sorted().joined(separator: ", ")
            throw ChannelSettingsError(channel, key, "there is no such key; this channel has \(all)")
        }
    }

    subscript(_ key: String) -> String? { values[key] }

    /// A fault of a key.
    func fault(_ key: String, _ problem: String) -> ChannelSettingsError { ChannelSettingsError(channel, key, problem) }

    /// The value of a key that has to be there.
    func required(_ key: String, _ why: String) throws(ChannelSettingsError) -> String {
        guard let value = values[key], !value.isEmpty else { throw fault(key, "it is missing; \(why)") }
        return value
    }

    /// One of a few words.
    func word<Word: RawRepresentable<String> & CaseIterable>(
        _ key: String, default fallback: Word
    ) throws(ChannelSettingsError) -> Word {
        guard let value = values[key] else { return fallback }
        guard let word = Word(rawValue: value) else {
            throw fault(key, "it is one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    /// A whole number in a range.
    func number(_ key: String, default fallback: Int, in range: ClosedRange<Int>) throws(ChannelSettingsError) -> Int {
        guard let value = values[key] else { return fallback }
        guard let number = Int(value), range.contains(number) else {
            throw fault(key, "it is a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// `base_url`.
    func base() throws(ChannelSettingsError) -> BaseAddress? {
        guard let text = values["base_url"] else { return nil }
        if let fault = WebAddress.fault(of: text) { throw self.fault("base_url", "it \(fault)") }
        return BaseAddress(text)
    }

    /// `on_ambiguous`.
    func onAmbiguous(default fallback: OnAmbiguous) throws(ChannelSettingsError) -> OnAmbiguous {
        try word("on_ambiguous", default: fallback)
    }
}

/// An address of the deployment's that stands before a provider's paths: a proxy, or a double in tests.
///
/// It is the admin's word, so it may lie inside the network.
struct BaseAddress: Sendable, Equatable {
    private let text: String

    init(_ text: String) { self.text = text.hasSuffix("/") ? String(text.dropLast()) : text }

    /// The address with this one in place of its scheme, host and port.
    func replacingOrigin(of url: String) -> String {
        guard let slashes = url.utf8.firstRange(of: "://".utf8) else { return text }
        let rest = url.utf8[slashes.upperBound...].drop { ![0x2F, 0x3F, 0x23].contains($0) }
        return text + String(Substring(rest))
    }
}

extension BaseAddress? {
    /// A request's address and whether it is trusted.
    func address(_ url: String) -> (url: String, isTrusted: Bool) {
        map { ($0.replacingOrigin(of: url), true) } ?? (url, false)
    }
}
