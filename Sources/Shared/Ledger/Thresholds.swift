// Thresholds. A selection of a rule with `after` sends something only once enough events of its key came within a span of
// time; what falls short is suppressed (`after`, by how far it fell short). The ledger decides that, in the transaction that
// decides the rest, over all workers: each event counts once, however often it is produced or read. Times are those at which
// the stream took the events, so that a worker that catches up decides as one that was there.

extension Decisions {
    /// What has to be reached before a selection sends anything.
    public struct Threshold: Sendable {
        /// The rule, what it asks for, and what the events it counts have in common.
        public var key: Key
        /// How many events, or different values.
        public var count: Int
        /// In how long a span they have to come.
        public var within: Duration
        /// What has to differ for two events to count as two.
        public var value: UInt64
        /// What is asked for, as people read it: `3 within 10m`.
        public var words: String
        /// Makes one.
        public init(key: Key, count: Int, within: Duration, value: UInt64, words: String) {
            (self.key, self.count, self.within) = (key, count, within)
            (self.value, self.words) = (value, words)
        }

        /// By what an event is suppressed that is one of so many.
        package func shortfall(_ found: Int) -> String { "\(found) of \(words)" }
    }
}

extension Key {
    /// What a rule counts together: events that have the values of its fields in common.
    ///
    /// - Parameter words: what the rule asks for; a rule that asks for something else begins anew.
    public static func threshold(
        workspace: String, rule: String, asking words: String, values: [(path: String, value: [UInt8])]
    ) -> Key {
        key("threshold", workspace: workspace, rule: rule, values: [("after", Array(words.utf8))] + values)
    }

    /// A value of an event as a number: equal values are equal numbers, and different ones are not.
    public static func sighting(_ value: [UInt8]) -> UInt64 {
        var hasher = KeyHasher("sighting")
        hasher.add(value.span)
        return hasher.key().high
    }
}
