public import CarillonEvents
public import CarillonPlatform
public import CarillonStream
import CPlatform
import Glibc

// The spool: a folder of segments that hold what the stream could not take. Several processes share it.
//
// Each writer has a segment of its own, locked while it lives, so writers never wait for each other. Whoever comes next
// drains: one drainer at a time by an OS lock, oldest segment first, and a segment goes when the stream has all of it.
// A drainer that dies in between makes some events arrive twice; they are equal in source and id, so the ledger counts
// them as duplicates. Segments of living writers are left to them.

/// Events on this machine's disk that wait for the stream.
///
/// One thread uses it.
public final class Spool {
    /// The folder.
    public let folder: String
    private let limits: Producer.Limits
    private let clock: any Clock
    private let owner: FileLock
    private var isOwner = false
    private var writer: SegmentWriter?
    private var used: Int64 = 0
    private var begun = 0
    /// How many events of a half-drained segment the stream has already.
    private var progress: (name: String, events: Int)?
    /// Whether something may wait here that this process has to drain.
    private(set) var mayHoldEvents = true
    /// Whether the last look met segments of living writers.
    private(set) var metLivingWriters = false

    /// Opens the folder, making it when it is not there.
    ///
    /// - Throws: `SpoolError` when the folder cannot be made or written.
    public init(folder: String, limits: Producer.Limits = Producer.Limits(), clock: any Clock = SystemClock())
        throws(SpoolError)
    {
        (self.folder, self.limits, self.clock) = (folder, limits, clock)
        do throws(PlatformError) {
            try Folder.make(folder)
            owner = try FileLock(path: folder + "/drain.lock")
        } catch { throw SpoolError(error) }
        measure()
    }

    /// The bytes in the folder when it was last measured.
    public var bytes: Int64 { used }

    /// Whether segments wait here, whoever wrote them.
    public var isEmpty: Bool { names().isEmpty }

    /// Appends events; they survive the machine's crash when it returns.
    ///
    /// - Throws: `SpoolError.full` when the spool has its size; nothing was written then.
    public func write(_ events: [EncodedEvent]) throws(SpoolError) {
        var frames: [UInt8] = []
        frames.reserveCapacity(events.reduce(0) { $0 + $1.weight })
        for event in events { Frame.write(event, to: &frames) }
        if used + Int64(frames.count) > limits.spoolBytes { measure() }
        guard used + Int64(frames.count) <= limits.spoolBytes else {
            throw SpoolError(
                .full, doing: "write to \(folder)", cause: "it holds \(used) of \(limits.spoolBytes) bytes")
        }
        do throws(PlatformError) {
            let writer = try currentWriter()
            try writer.write(frames)
            used += Int64(frames.count)
            mayHoldEvents = true
            if writer.size >= limits.segmentBytes { seal() }
        } catch {
            seal()
            throw SpoolError(error)
        }
    }

    /// Moves some of the oldest events to the stream: at most one segment.
    ///
    /// - Returns: how many events it moved; `nil` when there is nothing to drain, or another process drains.
    /// - Throws: the stream's error; what was not moved stays here.
    public func drainSome(into stream: any StreamAppender) throws(StreamError) -> Int? {
        guard mayHoldEvents, takeOwnership() else { return nil }
        seal()
        metLivingWriters = false
        for name in names() {
            let path = folder + "/" + name
            // Looking first leaves a living writer's file unopened, and so rings nobody's bell.
            guard !FileLock.isHeld(path: path), let segment = SegmentReader(path: path) else {
                metLivingWriters = true
                continue
            }
            do throws(StreamError) { return try drain(segment, name, path, into: stream) } catch {
                releaseOwnership()
                throw error
            }
        }
        mayHoldEvents = false
        releaseOwnership()
        return nil
    }

    /// Looks again whether others left something here.
    public func look() { if !names().isEmpty { mayHoldEvents = true } }

    /// Closes the segment being written, so that any process may drain it.
    public func seal() { writer = nil }

    private func takeOwnership() -> Bool {
        if !isOwner { isOwner = (try? owner.tryLock()) ?? false }
        return isOwner
    }

    private func releaseOwnership() {
        owner.unlock()
        isOwner = false
    }

    private func drain(
        _ segment: SegmentReader, _ name: String, _ path: String, into stream: any StreamAppender
    ) throws(StreamError) -> Int {
        let limit = Int(limits.segmentBytes) + 2 * Frame.largest
        let bytes: [UInt8]
        do throws(PlatformError) { bytes = try segment.bytes(atMost: limit) } catch {
            throw StreamError(.other, doing: "drain \(path)", cause: error.cause)
        }
        let contents = Frame.read(bytes)
        let moved = try append(contents.events, of: name, to: stream)
        if contents.isForeign || contents.isDamaged {
            unsafe rename(path, path + ".damaged")
        } else {
            unsafe unlink(path)
            used -= Int64(bytes.count)
        }
        progress = nil
        return moved
    }

    private func append(
        _ events: [EncodedEvent], of name: String, to stream: any StreamAppender
    ) throws(StreamError) -> Int {
        var done = progress?.name == name ? progress?.events ?? 0 : 0
        let start = done
        while done < events.count {
            var end = done
            var size = 0
            while end < events.count, end - done < limits.batchEvents, end == done || size < limits.batchBytes {
                size += events[end].bytes.count
                end += 1
            }
            try appendApart(Array(events[done..<end]), to: stream)
            done = end
            progress = (name, done)
        }
        return done - start
    }

    /// Appends, and puts aside what the stream will never take, so that one such event does not hold up all others.
    private func appendApart(_ events: [EncodedEvent], to stream: any StreamAppender) throws(StreamError) {
        do throws(StreamError) { try stream.append(events) } catch {
            guard error.kind == .tooLarge else { throw error }
            guard events.count > 1 else { return putAside(events) }
            try appendApart(Array(events[..<(events.count / 2)]), to: stream)
            try appendApart(Array(events[(events.count / 2)...]), to: stream)
        }
    }

    private func putAside(_ events: [EncodedEvent]) {
        var frames: [UInt8] = []
        for event in events { Frame.write(event, to: &frames) }
        begun += 1
        let aside = try? SegmentWriter(path: folder + "/" + newName(".refused"))
        try? aside?.write(frames)
    }

    private func currentWriter() throws(PlatformError) -> SegmentWriter {
        if let writer { return writer }
        measure()
        begun += 1
        let fresh = try SegmentWriter(path: folder + "/" + newName(".spool"))
        used += fresh.size
        writer = fresh
        return fresh
    }

    /// Sorts by time of birth; a process's own segments sort in their order even when the clock stands still.
    private func newName(_ ending: String) -> String {
        padded(clock.now().milliseconds, 15) + "-" + padded(Int64(getpid()), 10) + "-" + padded(Int64(begun), 6)
            + ending
    }

    private func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(max(0, number))
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    private func names() -> [String] {
        Folder.names(in: folder).filter { $0.hasSuffix(".spool") }.sorted()
    }

    private func measure() {
        used = 0
        for name in Folder.names(in: folder) where name != "drain.lock" {
            var facts = stat()
            if unsafe stat(folder + "/" + name, &facts) == 0 { used += Int64(facts.st_size) }
        }
    }
}

/// Why the spool could not take events.
public struct SpoolError: Error, Sendable, CustomStringConvertible {
    /// The class of the failure.
    public enum Kind: Sendable, Equatable {
        /// The spool has the size it may have, or the disk is full.
        case full
        /// The folder cannot be made or written by this user.
        case unwritable
        /// Anything else.
        case other
    }
    /// The class of the failure.
    public let kind: Kind
    /// What was attempted, in the caller's words.
    public let doing: String
    /// The system's own words.
    public let cause: String?
    /// All of it in one line.
    public var description: String { "spool could not \(doing): \(kind)" + (cause.map { " [\($0)]" } ?? "") }

    init(_ kind: Kind, doing: String, cause: String?) { (self.kind, self.doing, self.cause) = (kind, doing, cause) }

    init(_ error: PlatformError) {
        let kind: Kind =
            switch error.number {
            case ENOSPC, EDQUOT, EFBIG: .full
            case EACCES, EPERM, EROFS, ENOTDIR: .unwritable
            default: .other
            }
        self.init(kind, doing: error.doing, cause: error.cause)
    }
}
