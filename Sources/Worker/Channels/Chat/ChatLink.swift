import CarillonLedger

extension Notice {
    /// Longer ones would leave too little of a chat's message.
    private static let longestChatLink = 512

    /// Where to look, as a line behind a chat's text; empty when there is nothing, or it could be taken for markup.
    func linkLine(inMarkdown isMarkdown: Bool) -> String {
        guard let link, link.utf8.count <= Self.longestChatLink,
            !link.contains(where: { "<>()[]|\"`*".contains($0) })
        else { return "" }
        return isMarkdown ? "\n\n[\(link)](\(link))" : "\n" + link
    }
}
