import CarillonEvents
import CarillonLedger

extension Notice {
    /// What templates of bodies see: the event's attributes, and `notice` with what Carillon says of it; of a group,
    /// those of its newest event, and `group` and `events`.
    ///
    /// An attribute `notice` of the event's own is hidden.
    var forTemplates: [UInt8] {
        let notice: JSONBody = [
            "delivery": .text(key.description), "workspace": .text(workspace), "rule": .text(rule),
            "severity": .text(severity), "title": .text(title), "message": .text(message),
        ]
        var object = Array(event)
        while let last = object.last, last != UInt8(ascii: "}") { object.removeLast() }
        guard object.popLast() != nil else { return [] }
        let isEmpty = object.last { $0 > 0x20 } == UInt8(ascii: "{")
        if let group {
            group.append(to: &object, first: isEmpty)
            object.append(UInt8(ascii: ","))
        } else {
            object += (isEmpty ? "" : ",").utf8
        }
        object += #""notice":"#.utf8
        object += notice.with("url", link.map(JSONBody.text) ?? .raw(Array("null".utf8)[...])).bytes
        object.append(UInt8(ascii: "}"))
        return object
    }
}
