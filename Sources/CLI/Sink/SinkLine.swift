import CarillonEvents
import Crypto

/// What the sink writes of one request, as one JSON line.
struct SinkLine {
    var time: Timestamp
    var status: Int
    var id, attempt: String
    var signature: SinkSignature.Verdict
    var body: [UInt8]

    /// The line with its line feed.
    var bytes: [UInt8] {
        let (type, subject) = names()
        var bytes = Array("{\"time\":\"\(time.rfc3339)\",\"id\":".utf8)
        JSON.append(quoted: id, to: &bytes)
        bytes +=
            ",\"attempt\":\(UInt32(attempt) ?? 0),\"status\":\(status),\"signature\":\"\(signature.rawValue)\"".utf8
        bytes += ",\"type\":".utf8
        Self.append(type, to: &bytes)
        bytes += ",\"subject\":".utf8
        Self.append(subject, to: &bytes)
        bytes += ",\"sha256\":\"".utf8
        for byte in SHA256.hash(data: body) {
            bytes.append(Self.digits[Int(byte >> 4)])
            bytes.append(Self.digits[Int(byte & 15)])
        }
        bytes += "\"}\n".utf8
        return bytes
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func append(_ text: String?, to bytes: inout [UInt8]) {
        if let text { JSON.append(quoted: text, to: &bytes) } else { bytes += "null".utf8 }
    }

    /// The event's type and subject, from a body as Carillon's webhooks have it.
    private func names() -> (type: String?, subject: String?) {
        let text = body.span
        guard (try? JSON.check(text)) != nil, let root = JSON.value(in: text, at: 0) else { return (nil, nil) }
        let type = JSON.member("type", of: root, in: text).flatMap { JSON.string($0, in: text) }
        let data = JSON.member("data", of: root, in: text)
        let subject = data.flatMap { JSON.member("subject", of: $0, in: text) }.flatMap { JSON.string($0, in: text) }
        return (type, subject)
    }
}
