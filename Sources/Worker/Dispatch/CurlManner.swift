import CCurl
import CarillonEvents

/// What of a request is set once and kept for those that are alike.
struct CurlManner: Equatable {
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

extension CurlTransfer {
    /// Sets what a manner asks for, on a handle where nothing of another is set.
    func apply(_ manner: CurlManner) -> CURLcode {
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
}
