// Cases of DocumentTests: what is written, and every problem that is told, with its line and column.

extension DocumentCase {
    /// An endpoint, at line 4, column 9.
    static let endpoints: [DocumentCase] = [
        .init(
            "an endpoint is a mapping",
            "https://x.example",
            [
                "4:9: an endpoint is a mapping, not a single value"
            ]),
        .init(
            "an endpoint needs a kind",
            "{url: \"https://x.example\"}",
            [
                "4:9: endpoint 'hook' needs 'kind'"
            ]),
        .init(
            "an endpoint needs an url",
            "{kind: webhook}",
            [
                "4:9: endpoint 'hook' needs 'url'"
            ]),
        .init("webhook is short for kind and url", "{webhook: \"https://x.example\"}", []),
        .init(
            "webhook and kind are too much",
            "{webhook: \"https://x.example\", kind: webhook}",
            [
                "4:40: 'webhook' stands for kind and url, so 'kind' is too much"
            ]),
        .init(
            "webhook and url are too much",
            "{webhook: \"https://x.example\", url: \"https://y.example\"}",
            [
                "4:40: 'webhook' stands for kind and url, so 'url' is too much"
            ]),
        .init("a robot has an address and its key", "{kind: dingtalk, url: {secret: room}, sign: {secret: s}}", []),
        .init(
            "a robot's format and who is called",
            "{kind: dingtalk, url: {secret: room}, format: markdown, at: {mobiles: ['138'], users: [u], all: true}}", []
        ),
        .init(
            "a robot knows its own formats",
            "{kind: wecom, url: {secret: room}, format: cloudevents}",
            [
                "4:52: 'format' is one of text, markdown, not 'cloudevents'"
            ]),
        .init(
            "a robot has no headers",
            "{kind: feishu, url: {secret: room}, headers: {A: b}}",
            [
                "4:45: unknown key 'headers' in an endpoint of kind feishu"
            ]),
        .init(
            "Feishu's robots call nobody by telephone",
            "{kind: feishu, url: {secret: room}, at: {mobiles: ['138']}}",
            [
                "4:50: unknown key 'mobiles' in 'at'"
            ]),
        .init(
            "a robot's key has no space",
            "{kind: feishu, url: {secret: room}, sign: 'a b'}",
            [
                "4:51: 'sign' has a space or a character beyond ASCII"
            ]),
        .init(
            "a robot's key in the clear is warned of",
            "{kind: feishu, url: {secret: room}, sign: abc}",
            [
                "4:51: warning: 'sign' stands in the document; keep it with 'carillon secrets set' and write {secret: NAME}"
            ]),
        .init("a pager has a routing key", "{kind: pagerduty, routing_key: {secret: pd}}", []),
        .init(
            "a pager needs its routing key",
            "{kind: pagerduty}",
            [
                "4:9: endpoint 'hook' needs 'routing_key'"
            ]),
        .init("the console needs nothing", "{kind: console}", []),
        .init("Slack has MLRun's layout", "{kind: slack, url: {secret: room}, layout: mlrun}", []),
        .init(
            "what is not built is said",
            "{kind: teams, url: {secret: room}}",
            [
                "4:16: not yet: 'kind' 'teams'; this build knows webhook, dingtalk, feishu, wecom, slack, pagerduty, console"
            ]),
        .init("slack is short for kind and url", "{slack: {secret: room}}", []),
        .init(
            "the shorthand of what is not built is not either",
            "{discord: \"https://x.example\"}",
            [
                "4:10: not yet: 'discord' (this kind of endpoint)"
            ]),
        .init(
            "an unknown kind is refused with the nearest",
            "{kind: webhok, url: \"https://x.example\"}",
            [
                "4:16: 'kind' is one of webhook, dingtalk, feishu, wecom, slack, pagerduty, console, not 'webhok'; did you mean 'webhook'?"
            ]),
        .init(
            "an unknown key of an endpoint is refused",
            "{kind: webhook, url: \"https://x.example\", timeout: 5s}",
            [
                "4:51: unknown key 'timeout' in an endpoint of kind webhook"
            ]),
        .init(
            "verify_ssl wants its name right",
            "{kind: webhook, url: \"https://x.example\", verify_tls: false}",
            [
                "4:51: unknown key 'verify_tls' in an endpoint of kind webhook; did you mean 'verify_ssl'?"
            ]),
        .init(
            "verify_ssl is true or false",
            "{kind: webhook, url: \"https://x.example\", verify_ssl: no}",
            [
                "4:63: 'verify_ssl' is true or false, not 'no'"
            ]),
        .init("a body of one's own", "{kind: webhook, url: \"https://x.example\", body: '{}', format: body}", []),
        .init(
            "a body of one's own may say its type",
            "{kind: webhook, url: \"https://x.example\", body: 'a=b', headers: {Content-Type: application/x-www-form-urlencoded}}",
            []),
        .init(
            "the format body needs one",
            "{kind: webhook, url: \"https://x.example\", format: body}",
            [
                "4:51: the format 'body' needs 'body', the template"
            ]),
        .init(
            "a body is for its format",
            "{kind: webhook, url: \"https://x.example\", body: '{}', format: standard}",
            [
                "4:51: 'body' is for the format 'body', not 'standard'"
            ]),
        .init(
            "a body is a template",
            "{kind: webhook, url: \"https://x.example\", body: '{{ '}",
            [
                "4:58: the body: '{{' is never closed by '}}'"
            ]),
        .init("the format cloudevents", "{kind: webhook, url: \"https://x.example\", format: cloudevents}", []),
        .init(
            "the format standard works",
            "{kind: webhook, url: \"https://x.example\", format: standard, method: PUT, verify_ssl: false}", []),
        .init(
            "an unknown format is refused",
            "{kind: webhook, url: \"https://x.example\", format: standart}",
            [
                "4:59: 'format' is one of standard, cloudevents, body, not 'standart'; did you mean 'standard'?"
            ]),
        .init("GET is a verb", "{kind: webhook, url: \"https://x.example\", method: GET}", []),
        .init(
            "HEAD is none",
            "{kind: webhook, url: \"https://x.example\", method: HEAD}",
            [
                "4:59: 'method' is one of POST, PUT, PATCH, GET, DELETE, not 'HEAD'"
            ]),
        .init(
            "a method is written in capitals",
            "{kind: webhook, url: \"https://x.example\", method: post}",
            [
                "4:59: 'method' is one of POST, PUT, PATCH, GET, DELETE, not 'post'; did you mean 'POST'?"
            ]),
        .init(
            "an url has a scheme",
            "{kind: webhook, url: ops.example.com/a}",
            [
                "4:30: the url begins with neither http:// nor https://"
            ]),
        .init(
            "an url is no file",
            "{kind: webhook, url: \"file:///etc/passwd\"}",
            [
                "4:30: the url begins with neither http:// nor https://"
            ]),
        .init(
            "an url has a host",
            "{kind: webhook, url: \"https:///a\"}",
            [
                "4:30: the url has no host"
            ]),
        .init(
            "an url has no password",
            "{kind: webhook, url: \"https://u:p@x.example/\"}",
            [
                "4:30: the url holds a user or a password; put them into a header as a secret"
            ]),
        .init("an at sign in the path is fine", "{kind: webhook, url: \"https://x.example/@me\"}", []),
        .init(
            "an url has no space",
            "{kind: webhook, url: \"https://x.example/a b\"}",
            [
                "4:30: the url has a space, a backslash or a control character"
            ]),
        .init(
            "an url has no line break",
            "{kind: webhook, url: \"https://x.example/\\r\\nHost: y\"}",
            [
                "4:30: the url has a space, a backslash or a control character"
            ]),
        .init(
            "an url has no backslash",
            "{kind: webhook, url: \"https://x.example\\\\@y.example\"}",
            [
                "4:30: the url has a space, a backslash or a control character"
            ]),
        .init(
            "an url's port is a number",
            "{kind: webhook, url: \"https://x.example:99999/\"}",
            [
                "4:30: the url has no valid port"
            ]),
        .init(
            "an url's port is not empty",
            "{kind: webhook, url: \"https://x.example:/\"}",
            [
                "4:30: the url has no valid port"
            ]),
        .init(
            "an url's host is made of letters, digits, dots and dashes",
            "{kind: webhook, url: \"https://x$y/\"}",
            [
                "4:30: the url has no valid host"
            ]),
        .init("an url may have an IPv6 address", "{kind: webhook, url: \"http://[::1]:8080/a?b=c#d\"}", []),
        .init(
            "an IPv6 address is closed",
            "{kind: webhook, url: \"http://[::1/a\"}",
            [
                "4:30: the url has no IPv6 address between its brackets"
            ]),
        .init(
            "an url is not longer than 2048 bytes",
            "{kind: webhook, url: \"https://x.example/" + String(repeating: "a", count: 2040) + "\"}",
            [
                "4:30: the url is longer than 2048 bytes"
            ]),
        .init(
            "an url is text",
            "{kind: webhook, url: [a]}",
            [
                "4:30: the url is text, not a list"
            ]),
        .init("an url may be a secret", "{kind: webhook, url: {secret: where}}", []),
        .init(
            "a secret's reference names it",
            "{kind: webhook, url: {}}",
            [
                "4:30: the url needs 'secret'"
            ]),
        .init(
            "a document can name no file",
            "{kind: webhook, url: {file: /etc/passwd}}",
            [
                "4:30: the url needs 'secret'",
                "4:31: unknown key 'file' in {secret: NAME}, which can name no file and no variable",
            ]),
        .init(
            "a document can name no variable",
            "{kind: webhook, url: {secret: a, env: HOME}}",
            [
                "4:42: unknown key 'env' in {secret: NAME}, which can name no file and no variable"
            ]),
        .init(
            "a secret's name is not empty",
            "{kind: webhook, url: {secret: ''}}",
            [
                "4:39: a secret's name is empty"
            ]),
        .init("a secret by name is fine", "{webhook: \"https://x.example\", secret: {secret: hook-key}}", []),
        .init(
            "a literal secret is a warning",
            "{webhook: \"https://x.example\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}",
            [
                "4:48: warning: a signing secret stands in the document; keep it with 'carillon secrets set' and write {secret: NAME}"
            ]),
        .init(
            "a literal secret has its form",
            "{webhook: \"https://x.example\", secret: hunter2}",
            [
                "4:48: the secret is not 'whsec_' and the base64 of 24 to 64 bytes"
            ]),
        .init(
            "a literal secret is not too short",
            "{webhook: \"https://x.example\", secret: whsec_c2hvcnQ=}",
            [
                "4:48: the secret is not 'whsec_' and the base64 of 24 to 64 bytes"
            ]),
        .init(
            "a literal secret is base64",
            "{webhook: \"https://x.example\", secret: \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!\"}",
            [
                "4:48: the secret is not 'whsec_' and the base64 of 24 to 64 bytes"
            ]),
        .init(
            "two secrets may stand while one replaces the other",
            "{webhook: \"https://x.example\", secret: [{secret: new}, {secret: old}]}", []),
        .init(
            "three secrets are too many",
            "{webhook: \"https://x.example\", secret: [{secret: a}, {secret: b}, {secret: c}]}",
            [
                "4:48: 'secret' is one secret, or two while one replaces the other"
            ]),
        .init(
            "headers are a mapping",
            "{webhook: \"https://x.example\", headers: [a]}",
            [
                "4:49: 'headers' is a mapping of names to values, not a list"
            ]),
        .init(
            "a header by secret is fine",
            "{webhook: \"https://x.example\", headers: {Authorization: {secret: ci}, X-Team: vision}}", []),
        .init(
            "a literal authorization is a warning",
            "{webhook: \"https://x.example\", headers: {Authorization: Bearer abc}}",
            [
                "4:65: warning: the value of header 'Authorization' stands in the document; keep it with 'carillon secrets set' and write {secret: NAME}"
            ]),
        .init(
            "a header's name is a token",
            "{webhook: \"https://x.example\", headers: {\"X Team\": a}}",
            [
                "4:50: the header 'X Team' is no header name: letters, digits and !#$%&'*+-.^_`|~, at most 128"
            ]),
        .init(
            "a header's name has no line break",
            "{webhook: \"https://x.example\", headers: {\"X\\r\\nY\": a}}",
            [
                "4:50: the header 'X??Y' is no header name: letters, digits and !#$%&'*+-.^_`|~, at most 128"
            ]),
        .init(
            "a header's value has no line break",
            "{webhook: \"https://x.example\", headers: {X-Team: \"a\\r\\nY: b\"}}",
            [
                "4:58: the value of header 'X-Team' has a line break or another control character"
            ]),
        .init("an endpoint may want fewer messages", "{webhook: \"https://x.example\", quota: [20/1m, 500/1d]}", []),
        .init(
            "what it wants is a list of limits",
            "{webhook: \"https://x.example\", quota: [20/1m, many]}",
            [
                "4:55: a limit is a number of messages in a span, such as 3/15m or 20/1d, not 'many'"
            ]),
        .init(
            "content-type is ours",
            "{webhook: \"https://x.example\", headers: {Content-Type: text/plain}}",
            [
                "4:50: the header 'Content-Type' is set by Carillon"
            ]),
        .init(
            "host is ours",
            "{webhook: \"https://x.example\", headers: {HOST: y}}",
            [
                "4:50: the header 'HOST' is set by Carillon"
            ]),
        .init(
            "webhook headers are ours",
            "{webhook: \"https://x.example\", headers: {Webhook-Id: y}}",
            [
                "4:50: the header 'Webhook-Id' is set by Carillon"
            ]),
        .init(
            "a header stands once whatever its case",
            "{webhook: \"https://x.example\", headers: {X-A: y, x-a: z}}",
            [
                "4:58: the header 'x-a' stands here twice"
            ]),
        .init(
            "a header's value is text",
            "{webhook: \"https://x.example\", headers: {X-A: [y]}}",
            [
                "4:55: the value of header 'X-A' is text, not a list"
            ]),
    ]
}
