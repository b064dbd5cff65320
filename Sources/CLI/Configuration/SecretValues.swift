import Foundation

extension Values {
    /// A secret of the deployment: as it stands, or read from the file its `*_file` form names, without the line break at
    /// its end; `nil` when neither is set.
    func secret(_ key: String) throws(Failure) -> MaskedText? {
        if case .secret(let text) = all[key] { return text }
        guard let path = optionalText(Settings.fileForm(of: key)) else { return nil }
        return MaskedText(try Self.text(ofSecretFile: path, for: key))
    }

    private static func text(ofSecretFile path: String, for key: String) throws(Failure) -> String {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw Failure("\(path), which \(Settings.fileForm(of: key)) names, cannot be read: \(reason(error))")
        }
        guard data.count <= 64 * 1024, let text = String(validating: data, as: UTF8.self) else {
            throw Failure("\(path), which \(Settings.fileForm(of: key)) names, is no text of at most 64 KiB")
        }
        let line = text.last?.isNewline == true ? String(text.dropLast()) : text
        guard !line.isEmpty else { throw Failure("\(path), which \(Settings.fileForm(of: key)) names, is empty") }
        return line
    }
}
