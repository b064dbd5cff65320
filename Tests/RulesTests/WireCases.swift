// Cases of DocumentTests: what is written, and every problem that is told, with its line and column.

extension DocumentCase {
    /// What an endpoint says of its connections, at line 4, column 9.
    static let wires: [DocumentCase] = [
        .init(
            "authorities and a certificate of one's own are secrets",
            "{webhook: \"https://x.example\", ca: {secret: ca}, client_cert: {secret: c}, client_key: {secret: k}}", []),
        .init(
            "authorities may stand in the document",
            "{webhook: \"https://x.example\", ca: \"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n\"}",
            []),
        .init(
            "a path is no PEM",
            "{webhook: \"https://x.example\", ca: /etc/ssl/ca.pem}",
            [
                "4:44: 'ca' is no PEM: it lacks the lines -----BEGIN … CERTIFICATE----- and -----END … CERTIFICATE-----; a document names no file"
            ]),
        .init(
            "a file is no secret",
            "{webhook: \"https://x.example\", client_cert: {file: c}, client_key: {secret: k}}",
            [
                "4:53: 'client_cert' needs 'secret'",
                "4:54: unknown key 'file' in {secret: NAME}, which can name no file and no variable",
            ]),
        .init(
            "a certificate needs its key",
            "{webhook: \"https://x.example\", client_cert: {secret: c}}",
            ["4:40: 'client_cert' needs 'client_key' beside it"]),
        .init(
            "a key needs its certificate",
            "{webhook: \"https://x.example\", client_key: {secret: c}}",
            ["4:40: 'client_key' needs 'client_cert' beside it"]),
        .init(
            "a key in the document is a warning",
            "{webhook: \"https://x.example\", client_cert: {secret: c}, client_key: \"-----BEGIN EC PRIVATE KEY-----\\nMIIB\\n-----END EC PRIVATE KEY-----\\n\"}",
            [
                "4:66: warning: a private key stands in the document; keep it with 'carillon secrets set --lines' and write {secret: NAME}"
            ]),
        .init(
            "an authority without a look at it",
            "{webhook: \"https://x.example\", ca: {secret: c}, verify_ssl: false}",
            ["4:40: warning: 'ca' has no use while verify_ssl is false"]),
        .init("HTTP/2 may be offered", "{webhook: \"https://x.example\", http: 2}", []),
        .init("HTTP/1.1 may be said", "{webhook: \"https://x.example\", http: 1.1}", []),
        .init(
            "there is no other HTTP",
            "{webhook: \"https://x.example\", http: 3}",
            ["4:46: 'http' is one of 1.1, 2, not '3'; did you mean '2'?"]),
    ]
}
