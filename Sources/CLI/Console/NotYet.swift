/// Commands of the contract that are not built, so that who types one is told so and not that it was misspelt.
enum NotYet {
    private static let commands: [(words: [String], instead: String)] = [
        (["replay"], "`carillon dead retry` and `carillon deliveries retry` reopen deliveries"),
        (["explain"], "`carillon deliveries show KEY` has a delivery's tries, `carillon rules test` says what matches"),
        (["quota"], "nothing is limited yet"),
        (["poison", "retry"], "`carillon poison show RECORD` gives its bytes; mend and publish them"),
    ]

    /// What to say instead of running these arguments; `nil` when they name nothing of the kind.
    static func line(for arguments: some Sequence<String>) -> String? {
        let words = Array(arguments.prefix(2))
        guard let command = commands.first(where: { words.starts(with: $0.words) }) else { return nil }
        return "\(command.words.joined(separator: " ")) is not yet built; \(command.instead)"
    }
}
