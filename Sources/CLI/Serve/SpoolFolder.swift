import CPlatform
import CarillonPlatform
import Foundation

/// What stands in the spool at this moment.
struct SpoolFolder {
    /// Files that wait for the stream.
    private(set) var segments = 0
    /// Their bytes.
    private(set) var bytes: Int64 = 0
    /// Files with damage, and events the stream will never take.
    private(set) var aside = 0
    /// What this process may not read, write or remove, and why; the folder itself when it is closed to us.
    private(set) var unreadable: [(path: String, cause: String)] = []

    /// Looks at a folder; one that is not there is empty.
    init(_ path: String) {
        guard unsafe access(path, R_OK | W_OK | X_OK) == 0 else {
            if errno != ENOENT { unreadable = [(path, systemWords(errno))] }
            return
        }
        for name in Folder.names(in: path).sorted() {
            if name.hasSuffix(".damaged") || name.hasSuffix(".refused") { aside += 1 }
            if name.hasSuffix(".spool") { add(path + "/" + name) }
        }
    }

    private mutating func add(_ path: String) {
        var facts = stat()
        // Never opened: that would ring the bells of those who watch the folder for closed files.
        guard unsafe stat(path, &facts) == 0, unsafe access(path, R_OK | W_OK) == 0 else {
            let cause = errno
            // A drainer was faster, unless the name is there and leads nowhere.
            let isGone = unsafe lstat(path, &facts) != 0
            if isGone { return }
            segments += 1
            return unreadable.append((path, systemWords(cause)))
        }
        segments += 1
        bytes += Int64(facts.st_size)
    }

    /// For metrics.
    var gauges: [(name: String, value: Double)] {
        [
            ("carillon_spool_bytes", Double(bytes)), ("carillon_spool_segments", Double(segments)),
            ("carillon_spool_unreadable", Double(unreadable.count)),
        ]
    }
}
