import CarillonEvents

// JSON and events: what the checker lets through must never trouble anyone behind it.

private let now = Timestamp(milliseconds: 1_767_600_000_000)

/// JSON that was checked is walked to its last string; JSON that was not may answer nonsense, but answers.
func probeJSON(_ text: Span<UInt8>) {
    let isJSON = (try? JSON.check(text)) != nil
    let isUnique = (try? JSON.check(text, refusingDuplicateKeys: true)) != nil
    precondition(isJSON || !isUnique, "text that is no JSON passed the stricter check")
    if let root = JSON.value(in: text, at: 0) {
        walk(root, text, isChecked: isJSON)
    } else {
        precondition(!isJSON, "checked JSON has no value")
    }
    for at in 0..<min(text.count, 64) { _ = JSON.value(in: text, at: at).map { walk($0, text, isChecked: false) } }
}

private func walk(_ value: Slice, _ text: Span<UInt8>, isChecked: Bool) {
    precondition(value.start >= 0 && value.start < value.end && value.end <= text.count, "a value outside the text")
    switch JSON.kind(of: value, in: text) {
    case .object:
        JSON.members(of: value, in: text) { name, member in
            walkString(name, text, isChecked: isChecked)
            if isChecked { walk(member, text, isChecked: true) }
            return true
        }
    case .array:
        JSON.elements(of: value, in: text) { element in
            if isChecked { walk(element, text, isChecked: true) }
            return true
        }
    case .string: walkString(value, text, isChecked: isChecked)
    case .number, .bool, .null: break
    }
}

/// A string that is undone and written again says the same.
private func walkString(_ raw: Slice, _ text: Span<UInt8>, isChecked: Bool) {
    guard let string = JSON.string(raw, in: text) else {
        return precondition(!isChecked, "a checked string cannot be read")
    }
    var quoted: [UInt8] = []
    JSON.append(quoted: string, to: &quoted)
    precondition((try? JSON.check(quoted.span)) != nil, "a quoted string is no JSON")
    let again = JSON.string(Slice(0, quoted.count), in: quoted.span)
    precondition(again?.utf8.elementsEqual(string.utf8) == true, "a quoted string says something else")
    precondition(JSON.equals(raw, in: text, Array(string.utf8)), "a string is not itself")
}

/// What `outline` accepts is completed, taken apart and put together again without another word.
func probeEvent(_ text: Span<UInt8>) {
    let outline = try? CloudEvents.outline(text)
    let prepared = try? CloudEvents.prepare(text, now: now)
    _ = try? CloudEvents.prepare(text, defaultWorkspace: "vision", now: now)
    _ = try? CloudEvents.prepare(
        headers: [
            ("content-type", "application/json"), ("ce-id", "1"), ("Ce-Source", "/s"), ("ce-type", "job.failed"),
        ],
        data: Array(copying: text), http: true, defaultWorkspace: "vision", now: now)
    if let outline {
        precondition((try? JSON.check(text)) != nil, "an event is no JSON")
        _ = CloudEvents.time(of: outline, in: text)
        _ = CloudEvents.workspaceMismatch(outline, in: text)
        precondition(JSON.string(outline.id, in: text)?.isEmpty == false, "an event without an id")
    }
    guard let prepared else { return }
    precondition(outline != nil, "an incomplete event was prepared")
    let again = try? CloudEvents.prepare(prepared.bytes.span, now: Timestamp(milliseconds: 0))
    precondition(again == prepared, "a complete event was completed")
    probeHeaders(of: prepared)
}

private func probeHeaders(of event: EncodedEvent) {
    for http in [true, false] {
        guard let message = try? CloudEvents.binaryHeaders(of: event, http: http) else { continue }
        let back = try? CloudEvents.prepare(headers: message.headers, data: message.data, http: http, now: now)
        guard let back else { continue }
        precondition(back.workspace == event.workspace && back.type == event.type, "headers changed an event")
    }
}
