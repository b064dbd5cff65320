import CCurl

// Certificates are given to curl as bytes: what a tenant's secret holds never stands in a file.
//
// Before it uses a kept connection curl compares authorities and certificate, but not the key (7.88, `match_ssl_config`):
// who knows another's certificate, which is public, would ride on the connection that the other has proved his key for.
// So the certificate's bytes end in a line that names the key, outside of the PEM blocks, where nobody reads it.

extension CurlTransfer {
    /// Takes over an endpoint's terms, or curl's own for none.
    func apply(_ terms: WireTerms?) {
        set(CURLOPT_HTTP_VERSION, terms?.offersHTTP2 == true ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)
        // Several begun together share the connection that the first of them makes.
        set(CURLOPT_PIPEWAIT, terms?.offersHTTP2 == true ? 1 : 0)
        set(CURLOPT_CAINFO_BLOB, terms?.authorities)
        set(CURLOPT_SSLCERT_BLOB, terms?.certificate)
        set(CURLOPT_SSLKEY_BLOB, terms?.key)
        // The blob takes the place of the system's file; the system's folder would still be asked beside it.
        unsafe _ = carillon_setopt_ptr(
            easy, CURLOPT_CAPATH, terms?.authorities == nil ? carillon_default_capath() : nil)
    }

    /// curl keeps a copy of its own.
    private func set(_ option: CURLoption, _ bytes: [UInt8]?) {
        guard let bytes else {
            unsafe _ = carillon_setopt_ptr(easy, option, nil)
            return
        }
        unsafe bytes.withUnsafeBytes { unsafe _ = carillon_setopt_blob(easy, option, $0.baseAddress, $0.count) }
    }

    /// Tells curl the addresses of the request's host, as a test has them.
    func resolve(by resolver: (String) -> [String]) {
        guard let host, !host.hasPrefix("["),
            let port = part(CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT))
        else { return }
        let addresses = resolver(host)
        guard !addresses.isEmpty else { return }
        let entry = "\(host):\(port):\(addresses.joined(separator: ","))"
        unsafe curl_slist_free_all(resolved)
        unsafe resolved = curl_slist_append(nil, entry)
        unsafe _ = carillon_setopt_ptr(easy, CURLOPT_RESOLVE, resolved)
    }

    /// The address's host as curl understood it: an IPv4 address in four decimal numbers, however it was spelled.
    var host: String? { part(CURLUPART_HOST) }

    /// Sends by a proxy, or by none, also not the environment's, which is not even read.
    func use(proxy: String?) {
        set(CURLOPT_PROXY, proxy ?? "")
        set(CURLOPT_NOPROXY, proxy == nil ? "*" : "")
    }

    private func part(_ part: CURLUPart, _ flags: UInt32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe curl_url_get(address, part, &text, flags) == CURLUE_OK, let found = unsafe text else { return nil }
        defer { unsafe curl_free(found) }
        return unsafe String(cString: found)
    }
}
