/// A receiver's own words, fit to be stored and shown: bounded, one line, without what the endpoint keeps secret.
package enum Words {
    /// The longest text, in bytes.
    package static let limit = 1024

    /// Takes the words from the beginning of an answer.
    ///
    /// A receiver may echo the request, so the address's path and query, the document's header values and the secrets
    /// are cut out. `body` should hold twice the limit, or a secret that stands across its end would be shown in part.
    package static func of(_ body: [UInt8], hidingSecretsOf endpoint: Endpoint) -> String {
        var text = String(decoding: body, as: UTF8.self)
        for secret in confidential(endpoint) where text.contains(secret) { text.replace(secret, with: "…") }
        var words = ""
        for scalar in text.unicodeScalars {
            guard words.utf8.count + UTF8.width(scalar) <= limit else { break }
            words.unicodeScalars.append(isPlain(scalar) ? scalar : " ")
        }
        return words
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }

    /// Longest first, so that a part does not tear the whole.
    private static func confidential(_ endpoint: Endpoint) -> [String] {
        var texts = [endpoint.url]
        let address = endpoint.url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last ?? ""
        if let user = address.prefix(while: { $0 != "/" }).split(separator: "@").dropLast().last {
            texts += [String(user)] + user.split(separator: ":").map(String.init)
        }
        let path = address.drop { $0 != "/" && $0 != "?" }
        texts.append(String(path))
        texts += path.split { "/?&=#".contains($0) }.filter { $0.utf8.count >= 8 }.map(String.init)
        for header in endpoint.headers {
            texts.append(header.value)
            texts += header.value.split(separator: " ").map(String.init)
        }
        for secret in endpoint.secrets {
            var encoded: [UInt8] = []
            Base64.append(secret, to: &encoded)
            texts.append(String(decoding: encoded, as: UTF8.self))
        }
        texts += [endpoint.credential].compactMap(\.self) + endpoint.channel.secrets
        return texts.filter { $0.utf8.count >= 4 }.sorted { $0.utf8.count > $1.utf8.count }
    }
}
