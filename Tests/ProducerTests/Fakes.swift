import CarillonEvents
import CarillonPlatform
import CarillonStream
import Glibc
import Synchronization

/// A stream in memory that is away, full, slow or picky when a test says so.
final class FakeStream: StreamAppender, Sendable {
    struct State {
        var appended: [EncodedEvent] = []
        var appends: [Int] = []
        var failure: StreamError.Kind?
        var largest = Int.max
        var isBlocked = false
        var failuresLeft = Int.max
    }
    private let state = Turnstile(State())

    var ids: [String] { state.change { $0.appended.map(\.id) } }
    /// Waits until so many events are here.
    func wait(for count: Int) { _ = state.wait { $0.appended.count >= count ? true : nil } }
    var appends: [Int] { state.change { $0.appends } }

    func fail(_ kind: StreamError.Kind?, times: Int = .max) {
        state.change { ($0.failure, $0.failuresLeft) = (kind, times) }
    }
    func take(atMost bytes: Int) { state.change { $0.largest = bytes } }
    func block() { state.change { $0.isBlocked = true } }
    func unblock() { state.change { $0.isBlocked = false } }

    func append(_ events: [EncodedEvent]) throws(StreamError) {
        let kind: StreamError.Kind? = state.wait { state in
            guard !state.isBlocked else { return nil }
            if let failure = state.failure, state.failuresLeft > 0 {
                state.failuresLeft -= 1
                return .some(failure)
            }
            if events.contains(where: { $0.bytes.count > state.largest }) { return .some(.tooLarge) }
            state.appended += events
            state.appends.append(events.count)
            return .some(nil)
        }
        state.change { _ in }  // wakes who waits for events
        if let kind { throw StreamError(kind, doing: "append \(events.count) events") }
    }
}

extension EncodedEvent {
    /// An event that is only its id.
    init(_ id: String, workspace: String = "vision", padding: Int = 0) {
        self.init(
            workspace: workspace, type: "job.failed",
            bytes: Array(id.utf8) + [UInt8](repeating: 0x20, count: padding))
    }
    var id: String { String(decoding: bytes.prefix { $0 != 0x20 }, as: UTF8.self) }
}

/// A folder of the test's own, removed at its end.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/carillon-test-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template)
        path = unsafe made.map { unsafe String(cString: $0) } ?? ""
        guard !path.isEmpty else { throw PlatformError(errno, doing: "make a folder for a test") }
    }

    deinit { remove(path) }

    private func remove(_ path: String) {
        for name in Folder.names(in: path) { remove(path + "/" + name) }
        if unsafe rmdir(path) != 0 { unsafe unlink(path) }
    }

    func names(ending: String) -> [String] { Folder.names(in: path).filter { $0.hasSuffix(ending) }.sorted() }
}

/// The bytes of a file.
func contents(of path: String) throws -> [UInt8] {
    let file = unsafe open(path, O_RDONLY)
    guard file >= 0 else { throw PlatformError(errno, doing: "open \(path)") }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 16 << 20)
    let count = unsafe read(file, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
}

/// Writes a file.
func write(_ bytes: [UInt8], to path: String) throws {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { throw PlatformError(errno, doing: "open \(path)") }
    defer { close(file) }
    guard unsafe write(file, bytes, bytes.count) == bytes.count else {
        throw PlatformError(errno, doing: "write \(path)")
    }
}
