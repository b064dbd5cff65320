public import CCarillon
import CarillonEvents
import CarillonPlatform
import CarillonProducer

// The functions of carillon.h, one by one; what each promises stands there. `@c @implementation`, which has the compiler check
// them against the header, is to stand here once Swift 6.3 is the least we build with.

/// See carillon.h.
@_cdecl("carillon_version")
public func carillon_version() -> UnsafePointer<CChar>? { unsafe text(Names.version) }

/// See carillon.h.
@_cdecl("carillon_result_name")
public func carillon_result_name(_ result: CInt) -> UnsafePointer<CChar>? {
    unsafe text(Names.results.indices.contains(Int(result)) ? Names.results[Int(result)] : "unknown")
}

/// See carillon.h.
@_cdecl("carillon_producer_open")
public func carillon_producer_open(
    _ config: UnsafePointer<CChar>?, _ report: carillon_report?, _ context: UnsafeMutableRawPointer?,
    _ producer: UnsafeMutablePointer<OpaquePointer?>?, _ why: UnsafeMutablePointer<CChar>?, _ whySize: Int
) -> CInt {
    let words = unsafe Words(why, whySize)
    guard let producer = unsafe producer else { return words.tell(CARILLON_ARGUMENT, "producer is NULL") }
    unsafe producer.pointee = nil
    let text = unsafe config.map { unsafe String(cString: $0) } ?? ""
    let configuration: ProducerConfiguration
    do throws(ConfigurationFault) { configuration = try ProducerConfiguration(text) } catch {
        return words.tell(CARILLON_CONFIG, error.description)
    }
    do {
        unsafe producer.pointee = try Handle(configuration, Report(report, context)).handOut()
        return CARILLON_OK
    } catch { return words.tell(CARILLON_SYSTEM, "\(error)") }
}

/// See carillon.h.
@_cdecl("carillon_producer_append")
public func carillon_producer_append(
    _ producer: OpaquePointer?, _ event: UnsafePointer<CChar>?, _ length: Int,
    _ ticket: UnsafeMutablePointer<carillon_ticket>?, _ why: UnsafeMutablePointer<CChar>?, _ whySize: Int
) -> CInt {
    let words = unsafe Words(why, whySize)
    guard let handle = unsafe Handle.behind(producer), let event = unsafe event, length >= 0 else {
        return words.tell(CARILLON_ARGUMENT, "producer or event is NULL")
    }
    guard !handle.isForked else { return words.tell(.forked) }
    guard length <= CloudEvents.maxBytes else {
        return words.tell(CARILLON_INVALID, "\(EventError(.tooLarge(bytes: length, limit: CloudEvents.maxBytes)))")
    }
    let bytes = unsafe copy(UnsafeRawPointer(event), length)
    do throws(EventError) {
        let encoded = try CloudEvents.prepare(bytes.span, now: handle.clock.now())
        return unsafe handle.append(encoded, ticket, words)
    } catch { return words.tell(CARILLON_INVALID, error.description) }
}

/// See carillon.h.
@_cdecl("carillon_producer_append_parts")
public func carillon_producer_append_parts(
    _ producer: OpaquePointer?, _ attributes: UnsafePointer<carillon_attribute>?, _ count: Int,
    _ contentType: UnsafePointer<CChar>?, _ data: UnsafeRawPointer?, _ length: Int,
    _ ticket: UnsafeMutablePointer<carillon_ticket>?, _ why: UnsafeMutablePointer<CChar>?, _ whySize: Int
) -> CInt {
    let words = unsafe Words(why, whySize)
    let isComplete = unsafe attributes != nil && (data != nil || length == 0)
    guard let handle = unsafe Handle.behind(producer), isComplete, count >= 0, length >= 0 else {
        return words.tell(CARILLON_ARGUMENT, "producer, attributes or data is NULL")
    }
    guard !handle.isForked else { return words.tell(.forked) }
    guard length <= CloudEvents.maxBytes else {
        return words.tell(CARILLON_INVALID, "\(EventError(.tooLarge(bytes: length, limit: CloudEvents.maxBytes)))")
    }
    guard let headers = unsafe headers(attributes, count, contentType) else {
        return words.tell(CARILLON_ARGUMENT, "an attribute's name or value is NULL")
    }
    let bytes = unsafe data.map { unsafe copy($0, length) } ?? []
    do throws(EventError) {
        let encoded = try CloudEvents.prepare(headers: headers, data: bytes, http: false, now: handle.clock.now())
        return unsafe handle.append(encoded, ticket, words)
    } catch { return words.tell(CARILLON_INVALID, error.description) }
}

/// See carillon.h.
@_cdecl("carillon_producer_flush")
public func carillon_producer_flush(_ producer: OpaquePointer?, _ milliseconds: Int64) -> CInt {
    guard let handle = unsafe Handle.behind(producer) else { return CARILLON_ARGUMENT }
    guard !handle.isForked else { return CARILLON_FORKED }
    let counts = handle.producer.flushWaiting(within: duration(milliseconds))
    return counts.waiting == 0 ? CARILLON_OK : CARILLON_TIMEOUT
}

/// See carillon.h.
@_cdecl("carillon_producer_counts")
public func carillon_producer_counts(
    _ producer: OpaquePointer?, _ counts: UnsafeMutablePointer<carillon_counts>?, _ size: Int
) -> CInt {
    guard let handle = unsafe Handle.behind(producer), unsafe counts != nil else { return CARILLON_ARGUMENT }
    guard !handle.isForked else { return CARILLON_FORKED }
    return unsafe write(handle.producer.counts, counts, size)
}

/// See carillon.h.
@_cdecl("carillon_producer_trouble")
public func carillon_producer_trouble(
    _ producer: OpaquePointer?, _ why: UnsafeMutablePointer<CChar>?, _ whySize: Int
) -> CInt {
    let words = unsafe Words(why, whySize)
    guard let handle = unsafe Handle.behind(producer) else { return CARILLON_ARGUMENT }
    guard !handle.isForked else { return words.tell(.forked) }
    return words.tell(CARILLON_OK, handle.producer.counts.trouble ?? "")
}

/// See carillon.h.
@_cdecl("carillon_producer_close")
public func carillon_producer_close(
    _ producer: OpaquePointer?, _ milliseconds: Int64, _ counts: UnsafeMutablePointer<carillon_counts>?, _ size: Int
) -> CInt {
    guard let handle = unsafe Handle.behind(producer) else { return CARILLON_ARGUMENT }
    guard !handle.isForked else { return CARILLON_FORKED }
    let final = handle.producer.closeWaiting(within: duration(milliseconds))
    if unsafe counts != nil { _ = unsafe write(final, counts, size) }
    handle.takeBack()
    return final.appended + final.spooled == final.accepted ? CARILLON_OK : CARILLON_TIMEOUT
}

// MARK: - Between C and Swift

/// Static texts, each with the zero byte C wants.
private enum Names {
    static let version: StaticString = "0.1.0\0"
    static let results: [StaticString] = [
        "ok\0", "full\0", "too large\0", "closed\0", "forked\0", "invalid\0", "config\0", "system\0", "timeout\0",
        "argument\0",
    ]
}

private func text(_ words: StaticString) -> UnsafePointer<CChar>? {
    unsafe UnsafeRawPointer(words.utf8Start).assumingMemoryBound(to: CChar.self)
}

private func copy(_ bytes: UnsafeRawPointer, _ length: Int) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: bytes, count: length))
}

/// The attributes as headers of the binary mode; `nil` when one lacks its name or value.
private func headers(
    _ attributes: UnsafePointer<carillon_attribute>?, _ count: Int, _ contentType: UnsafePointer<CChar>?
) -> [(name: String, value: String)]? {
    var headers: [(name: String, value: String)] = []
    var hasVersion = false
    for index in 0..<count {
        guard let name = unsafe attributes?[index].name, let value = unsafe attributes?[index].value else { return nil }
        unsafe headers.append(("ce_" + String(cString: name), String(cString: value)))
        hasVersion = hasVersion || headers.last?.name == "ce_specversion"
    }
    if !hasVersion { headers.append(("ce_specversion", "1.0")) }
    headers.append(("content-type", unsafe contentType.map { unsafe String(cString: $0) } ?? "application/json"))
    return headers
}

/// Writes as much as the caller's struct has room for.
private func write(_ counts: Producer.Counts, _ target: UnsafeMutablePointer<carillon_counts>?, _ size: Int) -> CInt {
    guard size > 0, let target = unsafe target else { return CARILLON_ARGUMENT }
    var all = carillon_counts(
        accepted: counts.accepted, appended: counts.appended, spooled: counts.spooled, refused: counts.refused,
        drained: counts.drained, waiting: UInt64(counts.waiting))
    unsafe withUnsafeBytes(of: &all) { bytes in
        unsafe UnsafeMutableRawPointer(target).copyMemory(
            from: bytes.baseAddress.unsafelyUnwrapped, byteCount: min(size, bytes.count))
    }
    return CARILLON_OK
}

/// No time at all for a negative one, a century at most.
private func duration(_ milliseconds: Int64) -> Duration { .milliseconds(min(max(0, milliseconds), 3_155_760_000_000)) }
