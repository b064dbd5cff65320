import CarillonEvents
import CarillonRules

extension Request {
    /// A `POST` as most providers want it.
    static func post(
        _ address: (url: String, isTrusted: Bool), body: [UInt8],
        type: String = "application/json; charset=utf-8", headers more: [(String, String)] = []
    ) -> Request {
        var headers = HeaderLines()
        headers.append(own: "content-type", type)
        headers.append(own: "user-agent", "Carillon/\(CarillonVersion.current)")
        for (name, value) in more { headers.append(name, value) }
        var request = Request(method: "POST", url: address.url, headers: headers, body: body)
        request.isTrusted = address.isTrusted
        return request
    }
}

/// Percent-encoding as RFC 3986 has it: letters, digits and `-._~` stay, all else is UTF-8 in upper-case hex.
enum PercentCode {
    static func encode(_ text: String) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// The pairs as the body of a form, or as a query.
    static func form(_ pairs: [(String, String)]) -> String {
        pairs.map { encode($0.0) + "=" + encode($0.1) }.joined(separator: "&")
    }
}

extension Timestamp {
    /// Whole seconds since the epoch, rounded down also before it.
    var seconds: Int64 { milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000 }
}

extension Notice {
    /// Where to look: the event's `data.url`, when it is a web address, else what the deployment's links say.
    var link: String? {
        let bytes = Array(event)
        return ownLink(in: bytes) ?? links?.link(type: type, event: bytes)
    }

    private func ownLink(in bytes: [UInt8]) -> String? {
        guard let root = JSON.value(in: bytes.span, at: 0),
            let data = JSON.member("data", of: root, in: bytes.span),
            JSON.kind(of: data, in: bytes.span) == .object,
            let raw = JSON.member("url", of: data, in: bytes.span), let url = JSON.string(raw, in: bytes.span),
            WebAddress.fault(of: url) == nil
        else { return nil }
        return url
    }
}
