/// Commands of the contract that are not built, so that who types one is told so and not that it was misspelt.
enum NotYet {
    private static let commands: [(words: [String], instead: String)] = [
        (["quota"], "nothing is limited yet")
    ]

    /// What to say instead of running these arguments; `nil` when they name nothing of the kind.
    static func line(for arguments: some Sequence<String>) -> String? {
        let words = Array(arguments.prefix(2))
        guard let command = commands.first(where: { words.starts(with: $0.words) }) else { return nil }
        return "\(command.words.joined(separator: " ")) is not yet built; \(command.instead)"
    }
}
