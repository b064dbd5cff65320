public import CarillonEvents

// The courier: deliveries in, requests on the wire, endings out. One thread drives libcurl's multi interface over kept
// connections; the callers only put work on its desk and take endings from it.
//
// What can go wrong: an answer that never comes is `ambiguous` once any byte of the request may have left, since
// nobody can know whether the receiver has it. What survives a crash: nothing here; the ledger still holds every
// delivery as leased.
//
// A request is sent again, on a new connection, when a kept one turns out to be closed before any byte of an answer: by
// libcurl itself, and over plain HTTP by us. The copy is byte for byte the same. A channel that costs money must not
// share this habit (DESIGN §8).

/// Carries requests over libcurl.
public final class CurlCourier: Courier {
    /// What the admin decides.
    public struct Configuration: Sendable {
        /// Requests on the wire or answered and not yet settled, at a time, and connections kept.
        public var concurrency: Int
        /// At most this many of them for one endpoint; of those that hang all together leave room for the others.
        public var perLane: Int
        /// From the start of a request to the end of its answer, connecting included.
        public var timeout: Duration
        /// Inside addresses that may be called.
        public var exemptions: [CIDR]
        /// A file of authorities that vouch for receivers beside the system's folder of them; `nil` for the system's alone.
        public var authorities: String?
        /// The address of a proxy that carries all but mail and what goes to a `base_url`; `nil` for none, whatever the
        /// environment says.
        public var proxy: String?
        /// How long an answer may take from its first byte to its end.
        package var answerTime: Duration = .seconds(5)
        /// What stands in for the resolver in tests: the addresses of a host, asked before each request.
        package var resolver: (@Sendable (_ host: String) -> [String])?
        /// Where the lines of the channel `console` go.
        public var console: Int32 = 1

        /// Makes a configuration.
        public init(
            concurrency: Int = 256, perLane: Int = 128, timeout: Duration = .seconds(15), exemptions: [CIDR] = [],
            authorities: String? = nil
        ) {
            precondition(concurrency > 0 && perLane > 0 && timeout > .zero, "a courier that can carry nothing")
            (self.concurrency, self.perLane, self.timeout) = (concurrency, perLane, timeout)
            (self.exemptions, self.authorities) = (exemptions, authorities)
        }
    }

    private let desk: CourierDesk
    private let thread: OwnThread
    private let onEnding: @Sendable () -> Void

    /// Starts the thread.
    ///
    /// - Parameter onEnding: called after endings were laid out for `collect`, from the courier's thread or an
    /// offerer's;
    ///   it must not block and must not call the courier.
    public init(
        configuration: Configuration = Configuration(), clock: any Clock, onEnding: @escaping @Sendable () -> Void,
        crash: CrashPoints = .none
    ) {
        let desk = CourierDesk()
        self.desk = desk
        self.onEnding = onEnding
        thread = OwnThread {
            CurlLoop(desk: desk, configuration: configuration, clock: clock, onEnding: onEnding, crash: crash).run()
        }
    }

    /// Takes deliveries for the thread to send; after `close` each ends as `unsent` at once.
    public func offer(_ deliveries: [Outgoing]) {
        guard !deliveries.isEmpty else { return }
        if !desk.order({ $0.deliveries.append(contentsOf: deliveries) }) {
            desk.publish(deliveries.map { Ending($0, .unsent) })
            onEnding()
        }
    }

    /// The endings since the last call, in the order they came.
    public func collect() -> [Ending] { desk.collect() }

    /// Frees the places of tries whose endings are written down.
    public func settled(_ tries: Int) {
        if tries > 0 { _ = desk.order { $0.settled += tries } }
    }

    /// Starts nothing more of what was offered so far for a lane.
    public func withdraw(_ lane: Int64) { _ = desk.order { $0.withdrawn.append(lane) } }

    /// Starts nothing more.
    public func drain() { _ = desk.order { $0.drain = true } }

    /// Stops the thread and waits for it; call it before the courier is let go, or its thread stays.
    public func close() {
        _ = desk.order { ($0.drain, $0.close) = (true, true) }
        thread.join()
    }
}
