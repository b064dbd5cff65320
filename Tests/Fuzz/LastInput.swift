import Foundation

/// Keeps the input that is being tried in a file, so that it is still there when the process is not.
///
/// Through shared memory: writing each input would take longer than trying it.
@safe struct LastInput {  // the memory is written within its size, by one thread, and never read here
    private static let size = Mutation.longest + 64
    private let handle: Int32
    private let memory: UnsafeMutableRawPointer?

    /// Opens or makes the file.
    init(_ path: String) {
        handle = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        precondition(handle >= 0, "\(path) cannot be written")
        precondition(ftruncate(handle, Self.size) == 0, "\(path) cannot grow")
        let mapped = unsafe mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0)
        unsafe memory = mapped == MAP_FAILED ? nil : mapped
    }

    /// Keeps an input: a line with its length, then its bytes.
    func keep(_ input: [UInt8]) {
        let bytes = Array("\(input.count)\n".utf8) + input
        guard let memory = unsafe memory, bytes.count <= Self.size else { return }
        unsafe memory.copyMemory(from: bytes, byteCount: bytes.count)
    }
}
