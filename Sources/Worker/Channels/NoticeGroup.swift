public import CarillonLedger
import CarillonEvents

/// What a notification says of its group, in the words of templates and webhooks: `group` and `events`.
public struct NoticeGroup: Sendable {
    /// How many events it tells of.
    public let size: Int64
    /// `group`: one JSON object.
    let object: [UInt8]
    /// `events`: some of its events, as one JSON list.
    let events: [UInt8]

    /// Takes what the ledger counted.
    public init(_ group: ClaimedGroup) {
        func number(_ number: Int64) -> JSONBody { .raw(Array(String(number).utf8)[...]) }
        let object: JSONBody = [
            "name": .text(group.name), "size": number(group.size), "failed": number(group.failed),
            "suppressed": number(group.suppressed), "total": number(group.total), "number": number(group.number),
            "since": .text(group.since.rfc3339),
        ]
        (size, self.object, events) = (group.size, object.bytes, group.events)
    }

    /// Appends both as members of a JSON object.
    ///
    /// - Parameter first: whether the object has no member yet.
    func append(to json: inout [UInt8], first: Bool = false) {
        json.append(contentsOf: (first ? #""group":"# : #","group":"#).utf8)
        json.append(contentsOf: object)
        json.append(contentsOf: #","events":"#.utf8)
        json.append(contentsOf: events)
    }
}
