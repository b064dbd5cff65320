import CarillonEvents

/// Reads the events of a request: CloudEvents in binary, structured or batched mode, all or none.
struct Envelopes {
    let limits: EventDoor.Limits

    func events(_ head: RequestHead, _ body: [UInt8], now: Timestamp) throws(Problem) -> [EncodedEvent] {
        if let encoding = head.first("content-encoding"), encoding.lowercased() != "identity" {
            throw .unsupported("content-encoding is \(encoding); send events as they are")
        }
        let contentType = head.first("content-type") ?? ""
        switch CloudEvents.mediaType(contentType) {
        case "application/cloudevents-batch+json":
            try checkCharset(contentType)
            return try batch(body, now)
        case "application/cloudevents", "application/cloudevents+json":
            try checkCharset(contentType)
            return [try single(head, body, now)]
        case let type where type.hasPrefix("application/cloudevents"):
            throw .unsupported("\(type) is not read here; \(Self.known)")
        default:
            guard head.headers.contains(where: { $0.name.lowercased().hasPrefix("ce-") }) else {
                throw .unsupported("this is no CloudEvent; \(Self.known)")
            }
            return [try single(head, body, now)]
        }
    }

    private static let known =
        "send application/cloudevents+json, application/cloudevents-batch+json, or the attributes as ce- headers"

    private func checkCharset(_ contentType: String) throws(Problem) {
        for parameter in contentType.split(separator: ";").dropFirst() {
            let parts = parameter.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].filter({ !$0.isWhitespace }).lowercased() == "charset" else { continue }
            let charset = parts[1].filter { $0 != "\"" && !$0.isWhitespace }.lowercased()
            if charset != "utf-8" && charset != "utf8" { throw .unsupported("charset is \(charset); send UTF-8") }
        }
    }

    private func single(_ head: RequestHead, _ body: [UInt8], _ now: Timestamp) throws(Problem) -> EncodedEvent {
        do throws(EventError) {
            return try CloudEvents.prepare(headers: head.headers, data: body, http: true, now: now)
        } catch { throw Problem(invalid: [Problem.Fault(0, error)], of: 1) }
    }

    private func batch(_ body: [UInt8], _ now: Timestamp) throws(Problem) -> [EncodedEvent] {
        let text = body.span
        do throws(JSONError) { try JSON.check(text) } catch {
            throw Problem(.badRequest, .notJSON, "the batch is not JSON: \(error)")
        }
        guard let array = JSON.value(in: text, at: 0), JSON.kind(of: array, in: text) == .array else {
            throw Problem(.badRequest, .notJSON, "a batch is a JSON array of events")
        }
        var events: [EncodedEvent] = []
        var faults: [Problem.Fault] = []
        var count = 0
        JSON.elements(of: array, in: text) { element in
            do throws(EventError) {
                events.append(try CloudEvents.prepare(text.extracting(element.range), now: now))
            } catch { faults.append(Problem.Fault(count, error, from: element.start)) }
            count += 1
            return count <= limits.events
        }
        guard count <= limits.events else {
            throw .tooLarge("the batch has more than \(limits.events) events; send smaller batches")
        }
        guard faults.isEmpty else { throw Problem(invalid: faults, of: count) }
        return events
    }
}
