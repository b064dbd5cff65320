public import CarillonEvents

// Groups of events. A selection of a rule with `group` makes no delivery: its event joins the open group of (rule, values,
// targets), or opens it. A group speaks `wait` after its first event and every `every` after that, as long as events came
// meanwhile; when none came it is over, and the next event opens another. What it says is a notification of its own, with
// one delivery a target: how many events joined since it last spoke, and some of them.
//
// Targets are part of what makes a group, so all its events have the same: an owner is told of their own and nobody else's.
// The ledger keeps who joined which group, in the transaction that decides, and what each notification counted, in the one
// that makes it: whoever is killed, the sum of the counts is the number of members.
//
// A digest is a group of deliveries: of those of one rule to one target that found no quota (`Toll.Last.digested`). The claim
// that turns one away ends it as withheld and adds it to the open digest, in its one transaction. When there is room again
// the digest speaks once and is over, in one message that is charged like any other; that one waits when it finds none.

extension Decisions {
    /// A group that an event joins.
    public struct Group: Sendable {
        /// The rule, and what the events of the group have in common.
        public var key: Key
        /// What people call it: the values they have in common.
        public var name: String
        /// How long the first event waits for company.
        public var wait: Duration
        /// How far apart its messages are.
        public var every: Duration
        /// How long one of its messages is worth sending.
        public var life: Duration
        /// Whether its messages to a target wait for each other.
        public var isOrdered: Bool
        /// Whether this event says that something failed.
        public var isFailure: Bool
        /// Makes one.
        public init(
            key: Key, name: String, wait: Duration, every: Duration, life: Duration, isOrdered: Bool = true,
            isFailure: Bool
        ) {
            (self.key, self.name, self.wait, self.every) = (key, name, wait, every)
            (self.life, self.isOrdered, self.isFailure) = (life, isOrdered, isFailure)
        }
    }
}

/// What a notification says of its group.
public struct ClaimedGroup: Sendable, Hashable {
    /// How many events of a message are listed at most: the first ones, and the rest of the newest.
    package static let listed = (first: 3, last: 7)
    /// How many bytes those have at most.
    package static let bound = 64 << 10

    /// What people call the group.
    public var name: String
    /// Which of the group's notifications it is, from 1.
    public var number: Int64
    /// Events that joined since the one before, and how many of them say that something failed.
    public var size, failed: Int64
    /// Events that a dedup window kept out meanwhile.
    public var suppressed: Int64
    /// Events that joined since the group was opened, those of this notification too.
    public var total: Int64
    /// When the first event of this notification joined.
    public var since: Timestamp
    /// Some of its events, oldest first, as one JSON list.
    public var events: [UInt8]
    /// Makes one.
    public init(
        name: String, number: Int64, size: Int64, failed: Int64, suppressed: Int64, total: Int64, since: Timestamp,
        events: [UInt8]
    ) {
        (self.name, self.number, self.size, self.failed) = (name, number, size, failed)
        (self.suppressed, self.total, self.since, self.events) = (suppressed, total, since, events)
    }

    /// Events as one JSON list, leaving out what is too much; the newest is left out last.
    package static func list(_ events: [[UInt8]]) -> [UInt8] {
        var room = bound
        var kept: [[UInt8]] = []
        for event in events.reversed() where event.count < room {
            room -= event.count + 1
            kept.append(event)
        }
        var list = [UInt8(ascii: "[")]
        for event in kept.reversed() {
            if list.count > 1 { list.append(UInt8(ascii: ",")) }
            list += event
        }
        list.append(UInt8(ascii: "]"))
        return list
    }
}

/// Which group an event joined for a rule.
public struct Membership: Sendable, Hashable {
    /// The rule, as `DeliveryRow` names it.
    public var rule: String
    /// What people call the group.
    public var name: String
    /// When it was opened, and how many events have joined it since.
    public var opened: Timestamp
    /// How many events have joined it.
    public var total: Int64
    /// When it speaks next; `nil` when it is over.
    public var due: Timestamp?
    /// The notification that counts the event: which of the group's, of how many events, and its number as an event, by which
    /// its deliveries are found (`DeliveryFilter.event`); `nil` while it waits.
    public var told: Told?
    /// The target that it was not told singly, when the group is a digest of what found no quota; `nil` for any other.
    public var digestOf: String?

    /// A notification of a group.
    public struct Told: Sendable, Hashable {
        /// Which of the group's, from 1.
        public var number: Int64
        /// Of how many events.
        public var size: Int64
        /// Its number as an event.
        public var event: Int64
        /// Makes one.
        public init(number: Int64, size: Int64, event: Int64) {
            (self.number, self.size, self.event) = (number, size, event)
        }
    }
    /// Makes one.
    public init(rule: String, name: String, opened: Timestamp, total: Int64, due: Timestamp?, told: Told?) {
        (self.rule, self.name, self.opened, self.total) = (rule, name, opened, total)
        (self.due, self.told) = (due, told)
    }
}

extension Key {
    /// The group of a rule for events that have the values of its fields in common.
    public static func group(workspace: String, rule: String, values: [(path: String, value: [UInt8])]) -> Key {
        key("group", workspace: workspace, rule: rule, values: values)
    }

    /// The digests of a rule for a target.
    public static func digest(workspace: String, rule: String, target: String) -> Key {
        var hasher = KeyHasher("digest")
        for part in [workspace, rule, target] { hasher.add(part) }
        return hasher.key()
    }

    /// That part of a group which tells the same targets.
    public func telling(_ targets: [String]) -> Key {
        var hasher = KeyHasher("group telling")
        hasher.add(self)
        for target in targets { hasher.add(target) }
        return hasher.key()
    }

    /// A notification of a group: the group, the event that opened it, and which of its notifications it is.
    public static func notification(group: Key, openedBy event: Key, number: Int64) -> Key {
        var hasher = KeyHasher("notification")
        hasher.add(group)
        hasher.add(event)
        hasher.add(String(number))
        return hasher.key()
    }

    /// A delivery of a group's notification.
    public static func delivery(notification: Key, target: String) -> Key {
        var hasher = KeyHasher("delivery of a group")
        hasher.add(notification)
        hasher.add(target)
        return hasher.key()
    }

    /// The pair that keeps a group's messages to a target in order.
    public static func pair(group: Key, target: String) -> Key {
        var hasher = KeyHasher("pair of a group")
        hasher.add(group)
        hasher.add(target)
        return hasher.key()
    }
}
