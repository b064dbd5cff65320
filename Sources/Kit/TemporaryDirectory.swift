import FoundationEssentials

/// A folder of its own for one test, removed with everything in it when the value goes away.
public final class TemporaryDirectory: Sendable {
    /// The folder's absolute path.
    public let path: String

    /// Makes an empty folder below the system's place for temporary files.
    public init(_ purpose: String = "carillon") throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "\(purpose)-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path(percentEncoded: false)
    }

    /// The path of something in the folder.
    public func file(_ name: String) -> String { path.hasSuffix("/") ? path + name : path + "/" + name }

    deinit {
        // A folder left behind is untidy, not wrong, and a deinit has nobody to tell.
        try? FileManager.default.removeItem(atPath: path)
    }
}
