import CarillonWorker
import Testing

@Suite("Channels: signatures of what providers send us", .timeLimit(.minutes(5)))
struct CallbackTests {
    private static func call(from caller: String) -> [(name: String, value: String)] {
        [
            ("CallSid", "CA1234567890ABCDE"), ("Caller", caller), ("Digits", "1234"), ("From", caller),
            ("To", "+18005551212"),
        ]
    }

    @Test(
        "Twilio signs the address with its query and the form by its names, in whatever order that came",
        arguments: [("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("+14158675310", "GvWf1cFY/Q7PnoempGyD5oXAezc=")])
    func twilio(caller: String, signature: String) {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2"
        for form in [Self.call(from: caller), Self.call(from: caller).reversed()] {
            #expect(CallbackSignature.twilio(url: url, form: form, token: "12345") == signature)
        }
        #expect(CallbackSignature.twilio(url: url + "&x=1", form: Self.call(from: caller), token: "12345") != signature)
    }

    @Test("Slack signs version, time and body")
    func slack() {
        let body = Array("token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J".utf8)
        let secret = "8f742231b10e8888abcd99yyyzzz85a5"
        let expected = "v0=bca5eef5dd737ed259b428b18cd24f679baa18c3fc5f1cb2a6ac9f03e717969a"
        #expect(CallbackSignature.slack(timestamp: "1531420618", body: body, secret: secret) == expected)
        #expect(CallbackSignature.slack(timestamp: "1531420619", body: body, secret: secret) != expected)
    }

    @Test("GitHub signs the body")
    func github() {
        #expect(
            CallbackSignature.github(body: Array("Hello, World!".utf8), secret: "It's a Secret to Everybody")
                == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
    }

    @Test("a signature matches itself and nothing else, shorter and longer ones included")
    func matches() {
        #expect(CallbackSignature.matches("v0=ab", "v0=ab"))
        for other in ["", "v0=a", "v0=abc", "v0=aB", "V0=ab"] { #expect(!CallbackSignature.matches(other, "v0=ab")) }
    }
}
