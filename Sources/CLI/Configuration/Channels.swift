import CarillonEvents
import CarillonRules
import CarillonWorker

// From the keys of `channels:` to what rules are checked with (`ChannelOffer`, which reads no file) and to what workers
// send with (`ChannelSettings`, in which the files of secrets are read).

extension Configuration {
    /// Which channels rules may name, and which events may use them.
    var offer: ChannelOffer {
        var terms: [String: ChannelOffer.Terms] = [:]
        var reasons: [String: String] = [:]
        for channel in ChannelKeys.channels {
            if values.flag("channels.\(channel).enabled") == false {
                reasons[channel] = "is switched off (channels.\(channel).enabled)"
            } else if ChannelKeys.configured.contains(channel), !isConfigured(channel) {
                reasons[channel] = "is not configured (channels.\(channel) in carillon.yaml)"
            } else {
                let events = values.optionalList("channels.\(channel).events")
                terms[channel] = ChannelOffer.Terms(
                    events: events?.compactMap { type in try? EventSelector(type) },
                    regions: values.optionalList("channels.\(channel).regions").map(Set.init))
            }
        }
        return ChannelOffer(terms, reasons: reasons)
    }

    /// The settings of every channel that is offered.
    ///
    /// - Throws: when the file of a secret cannot be read.
    func channelSettings() throws(Failure) -> [String: ChannelSettings] {
        var settings: [String: ChannelSettings] = [:]
        for channel in offer.channels ?? [] {
            let prefix = "channels.\(channel)."
            var own = ChannelSettings(
                events: values.optionalList(prefix + "events"), regions: values.optionalList(prefix + "regions"))
            for key in keys(of: channel) {
                if let secret = try values.secret(prefix + key) {
                    own.values[key] = secret.clear
                } else if let text = values.optionalText(prefix + key) {
                    own.values[key] = text
                }
            }
            settings[channel] = own
        }
        return settings
    }

    /// The channel's own keys, those of its terms and of the files of its secrets left out.
    private func keys(of channel: String) -> [String] {
        let settings = ChannelKeys.all.filter { $0.key.hasPrefix("channels.\(channel).") }
        return settings.map { String($0.key.dropFirst("channels.\(channel).".count)) }
            .filter { !ChannelKeys.terms.contains($0) }
    }

    private func isConfigured(_ channel: String) -> Bool {
        values.all.keys.contains { key in
            key.hasPrefix("channels.\(channel).")
                && !ChannelKeys.terms.contains(String(key.dropFirst("channels.\(channel).".count)))
        } || values.flag("channels.\(channel).enabled") == true
    }
}
