import CPlatform
import Glibc

/// Folders, without Foundation.
public enum Folder {
    /// Makes a folder and those above it, for this user only; fine when it is there.
    public static func make(_ path: String) throws(PlatformError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made.hasSuffix("/") ? String(part) : "/" + part
            guard unsafe mkdir(made, 0o700) == 0 || errno == EEXIST else {
                throw PlatformError(errno, doing: "make folder \(made)")
            }
        }
    }

    /// Makes an empty file if there is none, and takes all rights on it from everybody but its owner.
    public static func makePrivateFile(_ path: String) throws(PlatformError) {
        let descriptor = unsafe carillon_open(path, O_RDWR | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw PlatformError(errno, doing: "make \(path)") }
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw PlatformError(errno, doing: "make \(path) private") }
    }

    /// Makes a file with this content, for this user only, unless there is one: whole and durable, or not at all.
    ///
    /// - Returns: whether it was made; false when it was there, untouched.
    public static func makePrivateFile(_ path: String, holding bytes: [UInt8]) throws(PlatformError) -> Bool {
        let draft = "\(path).\(getpid())"
        unsafe _ = unlink(draft)
        let descriptor = unsafe carillon_open(draft, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw PlatformError(errno, doing: "make \(path)") }
        defer {
            close(descriptor)
            unsafe _ = unlink(draft)
        }
        let written = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count, fsync(descriptor) == 0 else {
            throw PlatformError(written < 0 ? errno : ENOSPC, doing: "write \(path)")
        }
        guard unsafe link(draft, path) == 0 else {
            if errno == EEXIST { return false }
            throw PlatformError(errno, doing: "make \(path)")
        }
        let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let folder = unsafe carillon_open(parent, O_RDONLY | O_DIRECTORY, 0)
        guard folder >= 0, fsync(folder) == 0 else { throw PlatformError(errno, doing: "keep \(path)") }
        close(folder)
        return true
    }

    /// The names in a folder, unordered; empty when it cannot be read.
    public static func names(in path: String) -> [String] {
        guard let handle = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(handle) }
        var names: [String] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
