public import CarillonEvents
public import CarillonLedger
public import CarillonRules

/// One marked message to an endpoint, or to a person on a channel, through its real channel, to see what it says.
///
/// Nothing is written down: it is no delivery.
public struct EndpointTrial: Sendable {
    private let outgoing: Outgoing

    /// Resolves the target's address and secrets.
    ///
    /// - Parameter target: an endpoint's name, or `channel/contact`.
    /// - Throws: in words for people, when one of them cannot be found.
    public init(
        _ target: String, of rules: WorkspaceRules, _ ledger: any Ledger,
        channels: [String: @Sendable (EndpointSpec) -> any Channel], people: [String: any Channel], vault: SecretVault,
        now: Timestamp
    ) throws {
        let workspace = rules.workspace
        var addresses = Addresses(channels: channels, people: people, vault: vault)
        let endpoint = try addresses.endpoint(
            target, of: rules, in: RuleBook(revision: 0, workspaces: [rules]), ledger
        ).get()
        var hasher = KeyHasher("trial")
        hasher.add("\(workspace)/\(target)/\(now.milliseconds)")
        let key = hasher.key()
        var event: [UInt8] = Array(#"{"specversion":"1.0","id":"\#(key)","source":"/carillon/endpoints-test""#.utf8)
        event += Array(#","type":"carillon.test","time":"\#(now.rfc3339)","workspace":"#.utf8)
        JSON.append(quoted: workspace, to: &event)
        event += Array(#","data":{"test":true}}"#.utf8)
        let notice = Notice(
            key: key, workspace: workspace, rule: "endpoints test", severity: "info", type: "carillon.test",
            subject: nil, time: now.rfc3339, title: "A test of Carillon",
            message: "A test of the endpoint \(target) of \(workspace): nothing happened, nothing is to be done.",
            event: event[...], traceparent: nil)
        outgoing = Outgoing(
            delivery: 0, epoch: 1, attempt: 1, lane: 0, notice: notice, endpoint: endpoint,
            leaseEnds: .seconds(1 << 40))
    }

    /// Sends it and waits for the answer, at most the courier's timeout.
    public func run(by courier: (@escaping @Sendable () -> Void) -> any Courier) async -> Ending {
        let (bells, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let courier = courier { bell.yield() }
        defer { courier.close() }
        courier.offer([outgoing])
        for await _ in bells { if let ending = courier.collect().first { return ending } }
        return Ending(outgoing, .unsent)
    }
}
