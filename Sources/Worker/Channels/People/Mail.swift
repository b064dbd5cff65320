public import CarillonEvents
import CarillonLedger
import CarillonRules

/// Mail by SMTP: text and HTML of one notification, to one person.
///
/// Every copy is the same message, byte for byte, with the `Message-ID` of the delivery, by which mailboxes fold copies.
/// Its date is the event's.
public struct MailChannel: PersonalChannel {
    private let server: String
    private let from: MailAddress
    private let tls: SMTPEnvelope.TLS
    private let login: SMTPEnvelope.Login?
    private let authorities: String?
    private let verifiesTLS: Bool
    private let html: Template?
    /// What becomes of a message of which nobody knows whether the server took it.
    public let onAmbiguous: OnAmbiguous

    /// Yes: libcurl stands still until a mail server has answered a message's last line.
    public var needsOwnThread: Bool { true }

    /// `mail`.
    public var name: String { "mail" }
    /// The password, and both as a server's log might repeat them.
    public var secrets: [String] {
        login.map {
            [
                $0.password, Base64.text(Array($0.password.utf8)),
                Base64.text(Array("\0\($0.user)\0\($0.password)".utf8)),
            ]
        }
            ?? []
    }

    /// Makes the channel from `channels.mail`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> MailChannel {
        let reading = try SettingsReading(
            "mail", settings,
            known: ["url", "from", "tls", "username", "password", "ca_file", "verify_ssl", "html", "on_ambiguous"])
        guard let from = MailAddress(try reading.required("from", "the sender, as in Carillon <carillon@example.com>"))
        else { throw reading.fault("from", "it is no address of mail, such as Carillon <carillon@example.com>") }
        let (server, tls) = try server(reading, from)
        var html = fallback
        if let text = reading["html"] {
            do throws(TemplateError) { html = try Template(text, for: .markup) } catch {
                throw reading.fault("html", "\(error)")
            }
        }
        let verify = reading["verify_ssl"] ?? "true"
        guard verify == "true" || verify == "false" else { throw reading.fault("verify_ssl", "it is true or false") }
        return MailChannel(
            server: server, from: from, tls: tls, login: try login(reading), authorities: reading["ca_file"],
            verifiesTLS: verify == "true", html: html, onAmbiguous: try reading.onAmbiguous(default: .resend))
    }

    /// The server's address, with the sender's domain as the name Carillon greets with.
    private static func server(
        _ reading: SettingsReading, _ from: MailAddress
    ) throws(ChannelSettingsError) -> (String, SMTPEnvelope.TLS) {
        let url = try reading.required("url", "the mail server, as in smtp://mail.example.com:587")
        guard let scheme = ["smtp://", "smtps://"].first(where: url.hasPrefix) else {
            throw reading.fault("url", "it begins with neither smtp:// nor smtps://")
        }
        if let fault = WebAddress.fault(of: "http://" + url.dropFirst(scheme.count)) {
            throw reading.fault(
                "url", "it " + fault.replacing("into a header as a secret", with: "as username and password"))
        }
        let isWrapped = scheme == "smtps://"
        let tls = try reading.word("tls", default: isWrapped ? SMTPEnvelope.TLS.implicit : .required)
        guard !isWrapped || tls == .implicit else {
            throw reading.fault("tls", "smtps:// is encrypted from the first byte: implicit")
        }
        let host = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return ("\(tls == .implicit ? "smtps" : "smtp")://\(host)/\(from.domain)", tls)
    }

    private static func login(_ reading: SettingsReading) throws(ChannelSettingsError) -> SMTPEnvelope.Login? {
        switch (reading["username"], reading["password"]) {
        case (nil, nil): return nil
        case (let user?, let password?): return SMTPEnvelope.Login(user: user, password: password)
        case (nil, _): throw reading.fault("username", "it is missing, and there is a password")
        case (_, nil): throw reading.fault("password", "it is missing, and there is a username; best as password_file")
        }
    }

    /// The message for the endpoint's recipient; the same for every copy.
    public func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request {
        let name = outgoing.endpoint.name
        guard let recipient = outgoing.endpoint.recipient else { throw Unsendable("\(name) has no address of mail") }
        guard MailAddress.isValid(recipient) else { throw Unsendable("the address of \(name) is no address of mail") }
        let envelope = SMTPEnvelope(sender: from.address, recipients: [recipient], tls: tls, login: login)
        var request = Request(
            method: "", url: server, headers: HeaderLines(), body: message(outgoing.notice, to: recipient, now),
            verifiesTLS: verifiesTLS, transport: .smtp(envelope))
        request.authorities = authorities
        request.isTrusted = true
        return request
    }

    private func message(_ notice: Notice, to recipient: String, _ now: Timestamp) -> [UInt8] {
        let boundary = "=_\(notice.key)"  // stands in no line of quoted-printable
        let title = notice.title.isEmpty ? notice.message : notice.title
        let subject = "[\(notice.severity)] \(title)".onOneLine.shortened(units: 200)
        let head = [
            "Date: \(MailText.date(Timestamp(rfc3339: notice.time) ?? now))", "From: \(from.header)",
            "To: \(recipient)", "Subject: \(MailText.words(subject))", "Message-ID: <\(notice.key)@\(from.domain)>",
            "Auto-Submitted: auto-generated", "MIME-Version: 1.0",
            "Content-Type: multipart/alternative;\r\n boundary=\"\(boundary)\"", "",
        ]
        var message = Array(head.map { $0 + "\r\n" }.joined().utf8)
        for (kind, text) in [("plain", plain(notice)), ("html", markup(notice))] {
            message += "--\(boundary)\r\nContent-Type: text/\(kind); charset=utf-8\r\n".utf8
            message += "Content-Transfer-Encoding: quoted-printable\r\n\r\n".utf8
            message += MailText.quotedPrintable(text)
        }
        return message + Array("--\(boundary)--\r\n".utf8)
    }

    private func plain(_ notice: Notice) -> String {
        let origin = [notice.workspace, notice.rule, notice.severity, notice.type, notice.time].filter { !$0.isEmpty }
        return ([notice.text, notice.link].compactMap(\.self) + ["-- ", origin.joined(separator: " · ")])
            .joined(separator: "\n\n")
    }

    /// The HTML, in which what comes from the event is escaped.
    ///
    /// A template of the deployment's that fails on an event gives way to
    /// Carillon's own.
    private func markup(_ notice: Notice) -> String {
        let object = notice.forTemplates
        for template in [html, Self.fallback].compactMap(\.self) {
            if let text = try? template.render(object: object.span) { return text }
        }
        return ""
    }

    private static let fallback = try? Template(
        """
        <!DOCTYPE html>
        <html><body style="font-family: sans-serif">
        <h2>{{ notice.title }}</h2>
        <p style="white-space: pre-wrap">{{ notice.message }}</p>
        {% if notice.url %}<p><a href="{{ notice.url }}">{{ notice.url }}</a></p>
        {% endif %}<p style="color: #666">{{ notice.workspace }} · {{ notice.rule }} · {{ notice.severity }} · {{ type }} · {{ time }}</p>
        </body></html>
        """, for: .markup)

    /// The table, by the server's reply code (RFC 5321): 2yz yes, 4yz later, 5yz never.
    public func outcome(of answer: Response) -> Outcome {
        switch answer.status {
        case 200..<300: .delivered
        case 421, 450, 451, 452: .failed(.serverError, after: nil)
        case 454: .failed(.authError, after: nil)  // login or STARTTLS not possible now
        case 400..<500: .failed(.serverError, after: nil)
        case 530, 534, 535, 538: .refused(.authError)
        case 500..<600: .refused(.clientError)
        default: .failed(.other, after: nil)
        }
    }
}
