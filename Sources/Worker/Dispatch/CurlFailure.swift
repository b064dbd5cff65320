import CCurl
import Glibc

/// A transfer that ended without an answer.
struct CurlFailure {
    let code: CURLcode
    /// Whether any byte of the request may have reached the receiver.
    var begun: Bool
    /// Whether the guard refused every address.
    let blocked: Bool
    /// The system's own error, 0 when there was none.
    let systemError: Int32

    /// What it means: the whole policy for answers that never came.
    var outcome: Outcome {
        if begun { return .ambiguous(reason) }
        if blocked { return .refused(.blocked) }
        switch code {
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT: return .refused(.clientError)
        default: return .failed(reason, after: nil)
        }
    }

    private var reason: FailureReason {
        switch code {
        case CURLE_OPERATION_TIMEDOUT: .contextDeadlineExceeded
        case CURLE_COULDNT_RESOLVE_HOST: .dns
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_CRL_BADFILE, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED:
            .tls
        default: .other
        }
    }

    /// libcurl's fixed text for the code, with the system's for a failed connect.
    ///
    /// Never its error buffer: that one repeats hosts and addresses, which may hold a secret.
    var words: String {
        if blocked && !begun { return "the address is inside the network (see delivery.ssrf_exempt)" }
        let text = unsafe String(cString: curl_easy_strerror(code))
        guard code == CURLE_COULDNT_CONNECT, systemError != 0 else { return text }
        return unsafe "\(text): \(String(cString: strerror(systemError)))"
    }
}
