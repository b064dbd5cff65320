import CCarillon
import CarillonEvents
import CarillonPlatform
import CarillonProducer
import Glibc

// The C side of the producer. What a caller holds is a retained `Handle`: `carillon_producer_open` retains it, and
// `carillon_producer_close` takes that back. Each function first asks whether this process made it, as in a forked child the
// locks behind it may be held by threads that do not exist there.

/// What a `carillon_producer` points to.
final class Handle: Sendable {
    let producer: Producer
    let clock = SystemClock()
    private let process = getpid()

    init(_ configuration: ProducerConfiguration, _ report: Report?) throws {
        var tell: (@Sendable (Acknowledgement) -> Void)?
        if let report { tell = { report.tell($0) } }
        producer = try Producer(
            appender: configuration.appender, spool: configuration.spool, limits: configuration.limits, report: tell)
    }

    /// The handle behind a caller's pointer; `nil` for none.
    static func behind(_ pointer: OpaquePointer?) -> Handle? {
        unsafe pointer.map { unsafe Unmanaged<Handle>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }

    /// Whether this process is a fork of the one that opened it.
    var isForked: Bool { getpid() != process }

    /// The pointer for the caller, who owns the handle from now on.
    func handOut() -> OpaquePointer { unsafe OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

    /// Takes the handle back from its caller.
    func takeBack() { unsafe Unmanaged.passUnretained(self).release() }

    /// Takes an event into memory.
    func append(_ event: EncodedEvent, _ ticket: UnsafeMutablePointer<carillon_ticket>?, _ why: Words) -> CInt {
        switch producer.append(event) {
        case .accepted(let number):
            if let ticket = unsafe ticket { unsafe ticket.pointee = number }
            return CARILLON_OK
        case .refused(let refusal): return why.tell(refusal)
        }
    }
}

/// The caller's report, with what the caller wants to be given along.
@safe struct Report: @unchecked Sendable {
    // carillon.h: the report is "called on the producer's thread", and what `context` points to is the caller's to share.
    private let function: carillon_report
    private let context: UnsafeMutableRawPointer?

    init?(_ function: carillon_report?, _ context: UnsafeMutableRawPointer?) {
        guard let function = unsafe function else { return nil }
        unsafe (self.function, self.context) = (function, context)
    }

    func tell(_ acknowledgement: Acknowledgement) {
        let fate =
            switch acknowledgement.fate {
            case .appended: CARILLON_APPENDED
            case .spooled: CARILLON_SPOOLED
            case .refused: CARILLON_REFUSED
            }
        let tickets = acknowledgement.tickets
        unsafe function(context, tickets.lowerBound, UInt64(tickets.count), fate)
    }
}

/// Where a caller wants to read why not.
@safe struct Words {
    private let buffer: UnsafeMutablePointer<CChar>?
    private let size: Int

    /// Begins with no words.
    init(_ buffer: UnsafeMutablePointer<CChar>?, _ size: Int) {
        unsafe self.buffer = buffer
        self.size = size
        write("")
    }

    /// Writes words and answers `result`.
    func tell(_ result: CInt, _ words: String) -> CInt {
        write(words)
        return result
    }

    func tell(_ refusal: Refusal) -> CInt {
        switch refusal {
        case .full: tell(CARILLON_FULL, "memory and spool are full; the stream is away or slow")
        case .tooLarge: tell(CARILLON_TOO_LARGE, "the event is larger than memory.bytes")
        case .closed: tell(CARILLON_CLOSED, "the producer is being closed")
        case .forked: tell(CARILLON_FORKED, "this process is a fork; open a producer of its own")
        }
    }

    /// Cut before a character that does not fit as a whole.
    private func write(_ words: String) {
        guard let buffer = unsafe buffer, size > 0 else { return }
        var count = 0
        for scalar in words.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            guard count + bytes.count < size, bytes != [0] else { break }
            for byte in bytes {
                unsafe buffer[count] = CChar(bitPattern: byte)
                count += 1
            }
        }
        unsafe buffer[count] = 0
    }
}
