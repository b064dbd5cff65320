import CarillonEvents

extension EventOutline {
    /// The raw value of an attribute of the event.
    func attribute(_ name: String, in text: Span<UInt8>) -> Slice? {
        switch name {
        case "id": id
        case "source": source
        case "type": type
        case "workspace": workspace
        case "subject": subject
        case "time": time
        case "data": data
        default: JSON.value(in: text, at: 0).flatMap { JSON.member(name, of: $0, in: text) }
        }
    }
}
