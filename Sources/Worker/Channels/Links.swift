import CarillonRules

/// Where people look at what an event is about, when the event itself does not say: the deployment's `links`.
///
/// A class, because every notice points to it.
public final class Links: Sendable {
    private let templates: [String: Template]

    /// Reads templates of addresses by the first word of the types of events they are for, such as `job`.
    ///
    /// - Throws: the first fault, after the word at fault.
    public init(_ texts: [String: String]) throws(LinkFault) {
        var templates: [String: Template] = [:]
        for (word, text) in texts.sorted(by: { $0.key < $1.key }) {
            guard !word.isEmpty, word.utf8.allSatisfy({ (0x61...0x7a).contains($0) || $0 == 0x5f }) else {
                throw LinkFault(word: word, words: "is no first word of a type, such as job, pipeline or model")
            }
            guard text.hasPrefix("https://") || text.hasPrefix("http://") else {
                throw LinkFault(word: word, words: "begins with neither https:// nor http://")
            }
            do throws(TemplateError) { templates[word] = try Template(text, for: .body) } catch {
                throw LinkFault(word: word, words: "is no template: \(error)")
            }
        }
        self.templates = templates
    }

    /// The address for an event; `nil` when there is none for its type, or what comes out is no web address.
    func link(type: String, event: [UInt8]) -> String? {
        guard let template = templates[String(type.prefix { $0 != "." })],
            let link = try? template.render(object: event.span), WebAddress.fault(of: link) == nil
        else { return nil }
        return link
    }
}

/// What is wrong with one of `links`.
public struct LinkFault: Error, Sendable {
    /// Which one.
    public let word: String
    /// What is wrong, to follow its name.
    public let words: String
}
