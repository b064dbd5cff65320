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
