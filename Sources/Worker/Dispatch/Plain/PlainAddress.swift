import CCurl

/// Where requests of plain HTTP go: one host and port, with the connections that wait for work.
final class PlainOrigin {
    /// Those without work, the last used at the end.
    var idle: [PlainConnection] = []
}

/// An address of plain HTTP, taken apart once for all its requests.
struct PlainAddress {
    let origin: PlainOrigin
    /// What stands between the verb and the header lines.
    fileprivate let target: [UInt8]

    /// Writes a request as it goes over the wire.
    func write(_ request: Request, to buffer: inout [UInt8]) {
        buffer.removeAll(keepingCapacity: true)
        buffer.append(contentsOf: request.method.utf8)
        buffer.append(contentsOf: target)
        if !request.headers.namesAccept { buffer.append(contentsOf: "Accept: */*\r\n".utf8) }
        buffer.append(contentsOf: request.headers.bytes)
        buffer.append(contentsOf: "Content-Length: ".utf8)
        buffer.append(contentsOf: String(request.body.count).utf8)
        buffer.append(contentsOf: "\r\n\r\n".utf8)
        buffer.append(contentsOf: request.body)
    }
}

/// The addresses of plain HTTP that were sent to, and their hosts.
struct PlainAddresses {
    /// So many are remembered; more, and all are learnt anew.
    private static let most = 4096

    private var known: [String: PlainAddress?] = [:]
    private var origins: [String: PlainOrigin] = [:]

    /// An address taken apart; `nil` for one that libcurl is to send to, or to refuse.
    mutating func address(_ url: String) -> PlainAddress? {
        if let known = known[url] { return known }
        guard url.hasPrefix("http://") else { return nil }
        if known.count >= Self.most {
            known = [:]
            forgetOrigins()
        }
        let address = parse(url)
        known[url] = .some(address)
        return address
    }

    /// Forgets those that no connection and no request holds.
    private mutating func forgetOrigins() {
        for name in Array(origins.keys) {
            guard var origin = origins.removeValue(forKey: name), !isKnownUniquelyReferenced(&origin) else { continue }
            origins[name] = origin
        }
    }

    /// Takes an address apart as libcurl does.
    ///
    /// What it would do more than that for (a login, a name that is no ASCII, a zone, bytes to be encoded) stays its own.
    private mutating func parse(_ url: String) -> PlainAddress? {
        guard url.utf8.allSatisfy({ (0x21..<0x7f).contains($0) }), let parts = unsafe curl_url() else { return nil }
        defer { unsafe curl_url_cleanup(parts) }
        func part(_ name: CURLUPart, _ flags: Int32 = 0) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            guard unsafe curl_url_get(parts, name, &text, UInt32(flags)) == CURLUE_OK, let found = unsafe text else {
                return nil
            }
            defer { unsafe curl_free(found) }
            return unsafe String(cString: found)
        }
        guard unsafe url.withCString({ unsafe curl_url_set(parts, CURLUPART_URL, $0, 0) }) == CURLUE_OK,
            part(CURLUPART_USER) == nil, part(CURLUPART_PASSWORD) == nil, part(CURLUPART_ZONEID) == nil,
            let host = part(CURLUPART_HOST), host.utf8.allSatisfy({ $0 < 0x80 }), let path = part(CURLUPART_PATH),
            let port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT)
        else { return nil }
        let name = port == "80" ? host : "\(host):\(port)"
        let origin = origins[name] ?? PlainOrigin()
        origins[name] = origin
        let query = part(CURLUPART_QUERY).map { "?" + $0 } ?? ""
        return PlainAddress(origin: origin, target: Array(" \(path)\(query) HTTP/1.1\r\nHost: \(name)\r\n".utf8))
    }
}
