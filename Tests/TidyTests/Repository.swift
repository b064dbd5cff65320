import FoundationEssentials
import Glibc

/// The files of this repository, read from where this very file stands.
struct Repository: Sendable {
    /// One file: its path from the root, and its size.
    struct File: Sendable {
        let path: String
        let size: Int
    }
    let root: String
    let files: [File]

    static let here = Repository(
        root: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path(percentEncoded: false))

    init(root: String) {
        self.root = root.hasSuffix("/") ? root : root + "/"
        files = Self.walk(self.root, "").sorted { $0.path < $1.path }
    }

    /// Everything but what tools put here: folders that begin with a dot, and what `.gitignore` keeps out at the root.
    private static func walk(_ root: String, _ folder: String) -> [File] {
        let manager = FileManager.default
        var files: [File] = []
        for name in (try? manager.contentsOfDirectory(atPath: root + folder)) ?? [] {
            let path = folder + name
            if name.hasPrefix(".") || name == "Package.resolved" || name == "__pycache__" || name.hasSuffix(".o") {
                continue
            }
            var status = stat()
            guard unsafe lstat(root + path, &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: files += walk(root, path + "/")
            case S_IFREG: files.append(File(path: path, size: Int(status.st_size)))
            default: break
            }
        }
        return files
    }

    func text(_ path: String) -> String {
        (try? Data(contentsOf: URL(filePath: root + path))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: root + path) }

    /// The Swift files below some folders.
    func swift(in folders: String...) -> [File] {
        files.filter { file in file.path.hasSuffix(".swift") && folders.contains { file.path.hasPrefix($0 + "/") } }
    }

    var markdown: [File] { files.filter { $0.path.hasSuffix(".md") } }
}
