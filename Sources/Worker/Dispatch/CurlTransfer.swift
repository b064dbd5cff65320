import CCurl
import CarillonEvents
import CarillonRules
import Glibc

/// One easy handle with the memory it reads a request from and writes an answer to; used for one request after another.
///
/// curl copies neither header lines nor body, so both stand in buffers of our own that live as long as the handle.
/// Everything that does not change between requests is set once.
@safe final class CurlTransfer {
    let easy: UnsafeMutableRawPointer
    /// What it carries now.
    var carried: Carried?
    /// The socket curl watches for it.
    var socket: Int32 = -1
    private var looksWithMore = 0
    private let addressGuard: AddressGuard
    private let sockets: CurlSockets
    /// The address as text, and parsed once for all its requests.
    private var url = ""
    let address: OpaquePointer
    /// Whether there is a proxy, and the host is one it must not be asked for.
    private var isPlainlyInside = false
    /// What the test's resolver said, as long as curl may look at it.
    var resolved: UnsafeMutablePointer<curl_slist>?
    private var method = ""
    private var manner = CurlManner()
    private var opensOnly = false
    private var timeout: Int64 = 0
    private var terms: WireTerms?
    let configuration: CurlCourier.Configuration
    var recipients: CurlList?
    private var lines = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 1)
    private var nodes = UnsafeMutableBufferPointer<curl_slist>.allocate(capacity: 32)
    private var body = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 1)

    // What the callbacks note of the answer.
    private var notes = AnswerNotes()
    /// A mail server's last reply.
    private var reply: [UInt8] = []
    private var allowed = 0
    private var refused = 0
    /// How much of a mail curl has taken.
    private var bodyTaken = 0
    private var bodyCount = 0

    /// Makes a handle; `nil` when there is no memory for one.
    init?(_ configuration: CurlCourier.Configuration, guard addressGuard: AddressGuard, sockets: CurlSockets) {
        guard let easy = unsafe curl_easy_init() else { return nil }
        guard let address = unsafe curl_url() else {
            unsafe curl_easy_cleanup(easy)
            return nil
        }
        unsafe (self.easy, self.address) = (easy, address)
        (self.configuration, self.addressGuard, self.sockets) = (configuration, addressGuard, sockets)
        configure()
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_url_cleanup(address)
        unsafe curl_slist_free_all(resolved)
        unsafe lines.deallocate()
        unsafe nodes.deallocate()
        unsafe body.deallocate()
    }

    private func configure() {
        set(CURLOPT_NOSIGNAL, 1)
        timeout = configuration.timeout.milliseconds
        set(CURLOPT_TIMEOUT_MS, Int(timeout))
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(min(timeout, 5000)))
        // One broken connection is one broken delivery.
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        // curl would wait for a hung name server when a transfer times out, and every other lane with it.
        set(CURLOPT_QUICK_EXIT, 1)
        // Answers are short, and glibc serves memory of up to this size without a search.
        set(CURLOPT_BUFFERSIZE, 1024)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        // Only a mail server's goodbye is waited for, when its connection makes room for another.
        set(CURLOPT_SERVER_RESPONSE_TIMEOUT, 1)
        if let file = configuration.authorities { set(CURLOPT_CAINFO, file) }
        use(proxy: configuration.proxy)
        // A proxy's yes to a tunnel is not the receiver's.
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        for option in [
            CURLOPT_PRIVATE, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_OPENSOCKETDATA, CURLOPT_READDATA,
        ] {
            unsafe _ = carillon_setopt_ptr(easy, option, me)
        }
        unsafe _ = carillon_setopt_write(easy) { bytes, _, count, me in
            unsafe CurlTransfer.at(me).take(body: UnsafeRawBufferPointer(start: bytes, count: count))
        }
        unsafe _ = carillon_setopt_header(easy) { bytes, _, count, me in
            unsafe CurlTransfer.at(me).take(header: UnsafeRawBufferPointer(start: bytes, count: count))
        }
        unsafe _ = carillon_setopt_read(easy) { bytes, size, count, me in
            unsafe CurlTransfer.at(me).give(to: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
        }
        unsafe _ = carillon_setopt_opensocket(easy) { me, _, address in
            unsafe CurlTransfer.at(me).open(address)
        }
        // The connection outlives this handle's transfer, so it gets the sockets' pointer, not ours.
        unsafe _ = carillon_setopt_ptr(easy, CURLOPT_CLOSESOCKETDATA, sockets.pointer)
        unsafe _ = carillon_setopt_closesocket(easy) { sockets, socket in
            unsafe CurlSockets.at(sockets).close(socket)
        }
    }

    /// The transfer a callback or a message of curl's is about.
    static func at(_ pointer: UnsafeMutableRawPointer?) -> CurlTransfer {
        guard let pointer = unsafe pointer else { preconditionFailure("curl lost the transfer it was given") }
        return unsafe Unmanaged<CurlTransfer>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// The transfer that a handle of curl's is.
    static func of(_ easy: UnsafeMutableRawPointer) -> CurlTransfer {
        var pointer: UnsafeMutableRawPointer?
        unsafe _ = carillon_getinfo_ptr(easy, CURLINFO_PRIVATE, &pointer)
        return unsafe CurlTransfer.at(pointer)
    }

    func set(_ option: CURLoption, _ value: Int) { unsafe _ = carillon_setopt_long(easy, option, value) }
    @discardableResult
    func set(_ option: CURLoption, _ value: String) -> CURLcode {
        unsafe value.withCString { unsafe carillon_setopt_ptr(easy, option, $0) }
    }

    // The request

    /// Makes the handle ready to send `request` over a connection on these terms.
    ///
    /// - Parameters:
    ///   - opensOnly: whether it is only to open the connection.
    ///   - time: from now to the end of the answer, in milliseconds.
    func load(_ request: Request, under terms: WireTerms?, opensOnly: Bool, within time: Int64) -> CURLcode {
        notes.reset()
        reply.removeAll(keepingCapacity: true)
        (allowed, refused, bodyTaken) = (0, 0, 0)
        (socket, looksWithMore) = (-1, 0)
        if !manner.fits(request) {
            let code = take(CurlManner(request))
            guard code == CURLE_OK else { return code }
        }
        if self.opensOnly != opensOnly {
            self.opensOnly = opensOnly
            set(CURLOPT_CONNECT_ONLY, opensOnly ? 1 : 0)
        }
        if timeout != time {
            timeout = time
            set(CURLOPT_TIMEOUT_MS, Int(time))
        }
        loadBody(request.body)
        if manner.mail == nil {
            loadHeaders(request.headers)
            unsafe _ = carillon_setopt_ptr(easy, CURLOPT_POSTFIELDS, body.baseAddress)
            unsafe _ = carillon_setopt_off(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bodyCount))
            if method != request.method {
                method = request.method
                set(CURLOPT_POST, 1)
                let code = set(CURLOPT_CUSTOMREQUEST, method)
                guard code == CURLE_OK else { return code }
            }
        } else {
            unsafe _ = carillon_setopt_off(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(bodyCount))
        }
        if self.terms !== terms {
            self.terms = terms
            apply(terms)
        }
        let code = load(address: request.url)
        if code == CURLE_OK, let resolver = configuration.resolver { resolve(by: resolver) }
        return code
    }

    /// Takes on another manner: everything that was set goes, kept connections stay.
    private func take(_ manner: CurlManner) -> CURLcode {
        unsafe curl_easy_reset(easy)
        configure()
        (url, method, self.manner, opensOnly, terms) = ("", "", CurlManner(), false, nil)
        let code = apply(manner)
        // Half a manner is none: the next request begins anew.
        if code == CURLE_OK {
            self.manner = manner
        } else {
            unsafe curl_easy_reset(easy)
            configure()
        }
        return code
    }

    private func load(address text: String) -> CURLcode {
        guard url != text else { return pastProxy() }
        url = ""
        let code = unsafe text.withCString { unsafe curl_url_set(address, CURLUPART_URL, $0, 0) }
        guard code == CURLUE_OK else { return CURLE_URL_MALFORMAT }
        url = text
        isPlainlyInside = configuration.proxy != nil && host.map { !addressGuard.allows(name: $0) } ?? true
        guard pastProxy() == CURLE_OK else { return CURLE_COULDNT_CONNECT }
        return unsafe carillon_setopt_ptr(easy, CURLOPT_CURLU, UnsafeRawPointer(address))
    }

    /// A proxy finds the receiver's address by itself; what can be told by the name alone is refused here.
    private func pastProxy() -> CURLcode {
        guard isPlainlyInside, !manner.isTrusted else { return CURLE_OK }
        refused += 1
        return CURLE_COULDNT_CONNECT
    }

    private func loadHeaders(_ headers: HeaderLines) {
        // `Expect:` takes away the question curl would ask before a large body.
        let quiet = unsafe ("Expect:" as StaticString).utf8Start
        if unsafe headers.bytes.count > lines.count {
            unsafe lines.deallocate()
            unsafe lines = .allocate(byteCount: headers.bytes.count * 2, alignment: 1)
        }
        if unsafe headers.count >= nodes.count {
            unsafe nodes.deallocate()
            unsafe nodes = .allocate(capacity: headers.count * 2)
        }
        unsafe lines.copyBytes(from: headers.bytes)
        unsafe nodes[0] = curl_slist(
            data: UnsafeMutableRawPointer(mutating: quiet).assumingMemoryBound(to: CChar.self), next: nil)
        var start = 0
        for index in 0..<headers.count {
            let line = unsafe lines.baseAddress?.advanced(by: start).assumingMemoryBound(to: CChar.self)
            unsafe nodes[index + 1] = curl_slist(data: line, next: nil)
            unsafe nodes[index].next = nodes.baseAddress?.advanced(by: index + 1)
            while unsafe lines[start] != UInt8(ascii: "\r") { start += 1 }
            unsafe lines[start] = 0
            start += 2
        }
        unsafe _ = carillon_setopt_ptr(easy, CURLOPT_HTTPHEADER, nodes.baseAddress)
    }

    private func loadBody(_ bytes: [UInt8]) {
        // Room for the largest message is not kept for small ones.
        if unsafe bytes.count > body.count || body.count > 64 * 1024 && bytes.count < body.count / 8 {
            unsafe body.deallocate()
            unsafe body = .allocate(byteCount: max(bytes.count, 2048), alignment: 1)
        }
        unsafe body.copyBytes(from: bytes)
        bodyCount = bytes.count
    }

    /// Hands curl the next part of a mail.
    private func give(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, bodyCount - bodyTaken)
        unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: body[bodyTaken..<(bodyTaken + count)]))
        bodyTaken += count
        return count
    }

    // The answer

    private func take(body bytes: UnsafeRawBufferPointer) -> Int {
        unsafe notes.take(body: bytes.bindMemory(to: UInt8.self).span) ? bytes.count : 0
    }

    private func take(header line: UnsafeRawBufferPointer) -> Int {
        if manner.mail != nil {
            // The last reply is the one that counts.
            unsafe reply = Array(line.prefix(AnswerNotes.keptLimit))
            return line.count
        }
        let name = "retry-after:"
        if unsafe line.count <= 2 && line.allSatisfy({ $0 == 13 || $0 == 10 }) {
            notes.headIsComplete = true
        } else if unsafe line.starts(with: "HTTP/".utf8) {
            notes.begin()
        } else if unsafe line.count > name.utf8.count && zip(line, name.utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) {
            let value = unsafe line.bindMemory(to: UInt8.self).span.extracting(droppingFirst: name.utf8.count)
            notes.take(retryAfter: value)
        }
        return line.count
    }

    /// What the receiver answered, as far as it did.
    ///
    /// Of a mail server a yes to all, or the reply that said no.
    func answer(_ code: CURLcode, now: Timestamp) -> Response? {
        let status = info(CURLINFO_RESPONSE_CODE)
        guard manner.mail != nil else {
            return notes.headIsComplete && status >= 200 ? notes.answer(status: status, now: now) : nil
        }
        guard code != CURLE_OK else { return Response(status: 250, body: reply) }
        return (400..<600).contains(status) ? Response(status: status, body: reply) : nil
    }

    /// Whether the receiver may have the request: any byte of one over HTTP, all of a mail, whose end is its last line.
    var hasBegun: Bool {
        if manner.mail != nil { return bodyTaken == bodyCount }
        // A proxy that refused the tunnel has told nobody.
        let tunnel = info(CURLINFO_HTTP_CONNECTCODE)
        return info(CURLINFO_REQUEST_SIZE) > 0 && (tunnel == 0 || (200..<300).contains(tunnel))
    }

    /// Looks whether more of an answer has come since the last look, and says in how many looks it had.
    ///
    /// Over HTTP/2 a connection is shared, so it tells nothing of one answer.
    func lookAtAnswer(since lastLook: Int64) -> Int {
        guard let carried, manner.mail == nil, terms?.offersHTTP2 != true else { return 0 }
        let readAt = sockets.lastRead(socket)
        if readAt > max(carried.begunAt, lastLook) { looksWithMore += 1 }
        return looksWithMore
    }
    /// Whether the guard refused every address there was.
    var wasBlocked: Bool { refused > 0 && allowed == 0 }
    /// The system's own error of a failed connect; 0 when there was none.
    var systemError: Int32 { Int32(truncatingIfNeeded: info(CURLINFO_OS_ERRNO)) }

    /// The socket of the connection it has opened; `nil` when it is gone already.
    var openedSocket: Int32? {
        var socket = CURL_SOCKET_BAD
        unsafe _ = carillon_getinfo_socket(easy, CURLINFO_ACTIVESOCKET, &socket)
        return socket == CURL_SOCKET_BAD ? nil : socket
    }

    private func info(_ name: CURLINFO) -> Int {
        var value = 0
        unsafe _ = carillon_getinfo_long(easy, name, &value)
        return value
    }

    // The connection

    /// Opens a socket for an address the guard allows.
    ///
    /// A kept connection was asked about when it was opened.
    private func open(_ address: UnsafeMutablePointer<curl_sockaddr>?) -> curl_socket_t {
        guard let address = unsafe address, let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) else {
            return CURL_SOCKET_BAD
        }
        let target = unsafe address.pointee
        let bytes = unsafe UnsafeRawBufferPointer(start: UnsafeRawPointer(address) + offset, count: Int(target.addrlen))
        guard let resolved = unsafe IPAddress(socketAddress: bytes, family: target.family),
            manner.isTrusted || configuration.proxy != nil || addressGuard.allows(resolved)
        else {
            refused += 1
            return CURL_SOCKET_BAD
        }
        allowed += 1
        return sockets.open(target.family, target.socktype, target.protocol)
    }
}
