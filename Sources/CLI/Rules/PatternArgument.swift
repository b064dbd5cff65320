import CarillonRules
import Foundation

/// A pattern as the command line names it: its JSON, or `@` and the file it stands in.
struct PatternArgument {
    /// Its JSON.
    let text: String
    /// The pattern, ready to be met.
    let compiled: CompiledPattern

    /// Reads and checks the pattern.
    ///
    /// - Throws: a usage error with its place and why it is none.
    init(_ argument: String) throws(Failure) {
        let (text, place) = try Self.source(argument)
        self.text = text
        do throws(PatternError) { compiled = try CompiledPattern(text) } catch {
            throw Failure.usage("\(place): \(printable("\(error)", limit: 1000))")
        }
    }

    /// The pattern's text and where it stands.
    private static func source(_ pattern: String) throws(Failure) -> (text: String, place: String) {
        guard pattern.hasPrefix("@") else { return (pattern, "--pattern") }
        let path = String(pattern.dropFirst())
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure.usage("\(path): the pattern cannot be read; --pattern takes JSON or @FILE")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw Failure.usage("\(path): the pattern is not UTF-8 text")
        }
        return (text, path)
    }
}
