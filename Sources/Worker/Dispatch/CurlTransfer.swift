import CCurl
import CarillonEvents
import CarillonRules
import Glibc

/// One easy handle with the memory it reads a request from and writes an answer to; used for one request after another.
///
/// curl copies neither header lines nor body, so both stand in buffers of our own that live as long as the handle.
/// Everything that does not change between requests is set once.
@safe final class CurlTransfer {
    /// More of an answer is not read; the status counts all the same.
    static let answerLimit = 64 * 1024
    /// How much of an answer's body is kept, twice what `Words` shows.
    static let keptLimit = 2 * Words.limit

    /// What of a request is set once and kept for those that are alike.
    private struct Manner: Equatable {
        var mail: SMTPEnvelope?
        var verifiesTLS = true  // as curl begins
        var isFresh = false
        var isTrusted = false
        var authorities: String?

        init() {}

        /// Whether a request is of this manner; asked of every one, so nothing is made for it.
        func fits(_ request: Request) -> Bool {
            guard verifiesTLS == request.verifiesTLS, isFresh == request.needsFreshConnection,
                isTrusted == request.isTrusted, authorities == request.authorities
            else { return false }
            if case .smtp(let envelope) = request.transport { return mail == envelope }
            return mail == nil
        }

        init(_ request: Request) {
            if case .smtp(let envelope) = request.transport { mail = envelope }
            (verifiesTLS, isFresh, isTrusted) = (
                request.verifiesTLS, request.needsFreshConnection, request.isTrusted
            )
            authorities = request.authorities
        }
    }

    let easy: UnsafeMutableRawPointer
    /// What it carries now, and since when, on the sockets' clock.
    var carried: Outgoing?
    var begunAt: Int64 = 0
    /// Its group among the forerunners.
    var group = 0
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
    private var manner = Manner()
    private var terms: WireTerms?
    private let configuration: CurlCourier.Configuration
    private var recipients: CurlList?
    private var lines = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 1)
    private var nodes = UnsafeMutableBufferPointer<curl_slist>.allocate(capacity: 32)
    private var body = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 1)

    // What the callbacks note of the answer.
    private var headIsComplete = false
    private var retryAfter: String?
    private var kept: [UInt8] = []
    private var received = 0
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
        kept.reserveCapacity(Self.keptLimit)
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
        let timeout = configuration.timeout
        set(CURLOPT_TIMEOUT_MS, Int(timeout.milliseconds))
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(min(timeout, .seconds(5)).milliseconds))
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
    func load(_ request: Request, under terms: WireTerms?) -> CURLcode {
        headIsComplete = false
        retryAfter = nil
        kept.removeAll(keepingCapacity: true)
        (received, allowed, refused, bodyTaken) = (0, 0, 0, 0)
        (socket, looksWithMore) = (-1, 0)
        if !manner.fits(request) {
            let code = take(Manner(request))
            guard code == CURLE_OK else { return code }
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
    private func take(_ manner: Manner) -> CURLcode {
        unsafe curl_easy_reset(easy)
        configure()
        (url, method, self.manner, terms) = ("", "", Manner(), nil)
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

    private func apply(_ manner: Manner) -> CURLcode {
        if !manner.verifiesTLS {
            set(CURLOPT_SSL_VERIFYPEER, 0)
            set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        if manner.isFresh { set(CURLOPT_FRESH_CONNECT, 1) }
        // What the deployment itself says where to send goes there.
        if manner.isTrusted { use(proxy: nil) }
        // A connection into the network must not be found by a request that may not go there.
        if manner.isFresh || manner.isTrusted && manner.mail == nil { set(CURLOPT_FORBID_REUSE, 1) }
        var codes: [CURLcode] = []
        if let authorities = manner.authorities { codes.append(set(CURLOPT_CAINFO, authorities)) }
        if let mail = manner.mail {
            set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
            set(CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, Int(configuration.timeout.milliseconds / 1000)))
            set(CURLOPT_UPLOAD, 1)
            let security: curl_usessl =
                switch mail.tls {
                case .required: CURLUSESSL_ALL
                case .opportunistic: CURLUSESSL_TRY
                case .implicit, .none: CURLUSESSL_NONE
                }
            set(CURLOPT_USE_SSL, Int(security.rawValue))
            codes.append(set(CURLOPT_MAIL_FROM, "<\(mail.sender)>"))
            recipients = CurlList(mail.recipients.map { "<\($0)>" })
            unsafe codes.append(carillon_setopt_ptr(easy, CURLOPT_MAIL_RCPT, recipients?.first))
            if let login = mail.login {
                codes += [set(CURLOPT_USERNAME, login.user), set(CURLOPT_PASSWORD, login.password)]
            }
        }
        return codes.first { $0 != CURLE_OK } ?? CURLE_OK
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
            if let line = unsafe line { unsafe start += strlen(line) + 1 }
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
        received += bytes.count
        guard received <= Self.answerLimit else { return 0 }
        if kept.count < Self.keptLimit { unsafe kept.append(contentsOf: bytes.prefix(Self.keptLimit - kept.count)) }
        return bytes.count
    }

    private func take(header line: UnsafeRawBufferPointer) -> Int {
        if manner.mail != nil {
            // The last reply is the one that counts.
            unsafe kept = Array(line.prefix(Self.keptLimit))
            return line.count
        }
        let name = "retry-after:"
        if unsafe line.count <= 2 && line.allSatisfy({ $0 == 13 || $0 == 10 }) {
            headIsComplete = true
        } else if unsafe line.starts(with: "HTTP/".utf8) {  // another head: the one before was 1xx
            headIsComplete = false
            retryAfter = nil
        } else if unsafe line.count > name.utf8.count && zip(line, name.utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) {
            retryAfter = unsafe String(decoding: line.dropFirst(name.utf8.count).prefix(64), as: UTF8.self)
        }
        return line.count
    }

    /// What the receiver answered, as far as it did: a complete head counts, whatever became of the body.
    ///
    /// Of a mail server a yes to all, or the reply that said no.
    func answer(_ code: CURLcode, now: Timestamp) -> Response? {
        let status = info(CURLINFO_RESPONSE_CODE)
        if manner.mail != nil {
            guard code != CURLE_OK else { return Response(status: 250, body: kept) }
            return (400..<600).contains(status) ? Response(status: status, body: kept) : nil
        }
        guard headIsComplete, status >= 200 else { return nil }
        return Response(
            status: status, retryAfter: retryAfter.flatMap { RetryAfter.parse($0, now: now) }, body: kept)
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
        guard manner.mail == nil, terms?.offersHTTP2 != true else { return 0 }
        let readAt = sockets.lastRead(socket)
        if readAt > max(begunAt, lastLook) { looksWithMore += 1 }
        return looksWithMore
    }
    /// Whether the guard refused every address there was.
    var wasBlocked: Bool { refused > 0 && allowed == 0 }
    /// The system's own error of a failed connect; 0 when there was none.
    var systemError: Int32 { Int32(truncatingIfNeeded: info(CURLINFO_OS_ERRNO)) }

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
