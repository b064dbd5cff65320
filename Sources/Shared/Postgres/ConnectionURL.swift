import CPostgres

/// What may be said aloud of a libpq URL.
public enum ConnectionURL {
    /// The password a URL holds; `nil` for none.
    ///
    /// - Throws: when libpq cannot read it, in words that quote nothing of it.
    static func password(in url: String) throws(PostgresFailure) -> String? { try options(of: url)["password"] }

    /// Where it leads, without user, password and options: `host/database`.
    public static func place(of url: String) -> String {
        guard let options = try? options(of: url) else { return "a URL that libpq cannot read" }
        let host = options["host"] ?? options["hostaddr"] ?? "local"
        return host + (options["port"].map { ":\($0)" } ?? "") + "/" + (options["dbname"] ?? "")
    }

    private static func options(of url: String) throws(PostgresFailure) -> [String: String] {
        var words: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(url, &words) else {
            if let words = unsafe words { unsafe PQfreemem(words) }
            throw PostgresFailure(.other, cause: "libpq cannot read the URL; it begins postgresql://")
        }
        defer { unsafe PQconninfoFree(options) }
        var found: [String: String] = [:]
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe found[String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return found
    }
}
