import CarillonEvents
import Crypto

/// The bearer tokens events may come with, and what each may send.
///
/// Only hashes of tokens are kept. All are compared whichever fits, and hashes tell nothing of what a token begins with, so
/// the time an answer takes tells nothing either.
public struct AccessTokens: Sendable {
    /// What a token may send.
    public struct Grant: Sendable, Hashable {
        /// The token's name, for people.
        public var name: String
        /// The workspaces it may send events of, `*` standing for anything.
        public var workspaces: [String]
        /// The sources it may send events as; `nil` for any.
        public var sources: [String]?

        /// Makes one.
        public init(name: String, workspaces: [String], sources: [String]? = nil) {
            (self.name, self.workspaces, self.sources) = (name, workspaces, sources)
        }

        /// Whether it covers a workspace.
        ///
        /// `*` in front covers no name that begins with an underscore, as `_system` does: those are given by name.
        func covers(workspace: String) -> Bool {
            workspaces.contains { glob in
                guard workspace.hasPrefix("_"), !glob.hasPrefix("_") else { return matches(glob, workspace) }
                return false
            }
        }

        func covers(source: String) -> Bool { sources?.contains { matches($0, source) } ?? true }
    }

    private var all: [(digest: [UInt8], grant: Grant)] = []

    /// No tokens.
    public init() {}

    /// How many there are.
    public var count: Int { all.count }

    /// Adds a token.
    ///
    /// - Returns: false when it is there already.
    public mutating func add(token: String, _ grant: Grant) -> Bool { add(sha256: Self.digest(of: token), grant) }

    /// Adds a token by the SHA-256 of its text.
    ///
    /// - Returns: false when it is there already.
    public mutating func add(sha256 digest: [UInt8], _ grant: Grant) -> Bool {
        precondition(digest.count == SHA256.byteCount, "a SHA-256 has 32 bytes; its reader has to check")
        guard !all.contains(where: { $0.digest == digest }) else { return false }
        all.append((digest, grant))
        return true
    }

    /// What a token may send; `nil` when it is not known.
    func grant(of token: String) -> Grant? {
        let digest = Self.digest(of: token)
        var found: Grant?
        for (known, grant) in all {
            var difference: UInt8 = 0
            for (a, b) in zip(known, digest) { difference |= a ^ b }
            if difference == 0 { found = grant }
        }
        return found
    }

    private static func digest(of token: String) -> [UInt8] { Array(SHA256.hash(data: Array(token.utf8))) }
}

/// Whether a text is as a glob has it: `*` stands for any run of characters, everything else for itself.
///
/// Takes time proportional to the product of both lengths at most.
func matches(_ glob: String, _ text: String) -> Bool {
    let (glob, text) = (Array(glob.utf8), Array(text.utf8))
    var (g, t) = (0, 0)
    var star: (glob: Int, text: Int)?
    while t < text.count {
        if g < glob.count, glob[g] == UInt8(ascii: "*") {
            star = (g + 1, t)
            g += 1
        } else if g < glob.count, glob[g] == text[t] {
            (g, t) = (g + 1, t + 1)
        } else if let last = star {
            star = (last.glob, last.text + 1)
            (g, t) = (last.glob, last.text + 1)
        } else {
            return false
        }
    }
    return glob[g...].allSatisfy { $0 == UInt8(ascii: "*") }
}

/// What a request that was let in may send.
struct Pass: Sendable {
    /// `nil`: everything.
    let grant: AccessTokens.Grant?

    /// Refuses events outside the grant, naming them.
    func check(_ events: [EncodedEvent]) throws(Problem) {
        guard let grant else { return }
        var found: [Problem.Fault] = []
        for (index, event) in events.enumerated() {
            if !grant.covers(workspace: event.workspace) {
                found.append(Problem.Fault(index, "workspace \(event.workspace) is not among the token's"))
            } else if grant.sources != nil, let source = Self.source(of: event), !grant.covers(source: source) {
                found.append(Problem.Fault(index, "source \(source) is not among the token's"))
            }
        }
        guard found.isEmpty else {
            throw Problem(
                .forbidden, .outsideToken,
                "\(found.count) of \(events.count) events are outside what this token may send; none was taken",
                faults: found)
        }
    }

    private static func source(of event: EncodedEvent) -> String? {
        let text = event.bytes.span
        return (try? CloudEvents.outline(text)).flatMap { JSON.string($0.source, in: text) }
    }
}
