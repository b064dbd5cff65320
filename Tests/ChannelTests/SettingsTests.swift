import CarillonWorker
import Testing

@Suite("Channels: what the deployment says of them", .timeLimit(.minutes(5)))
struct SettingsTests {
    private func problem(_ name: String, _ values: [String: String]) -> String {
        let settings = [name: ChannelSettings(values: values)]
        do throws(ChannelSettingsError) {
            let made =
                Channels.peopleNames.contains(name)
                ? try Channels.people(settings).count : try Channels.kinds(settings).count
            return made == 1 ? "fine" : "not made"
        } catch { return "\(error.key): \(error.problem)" }
    }
    private static let mail = ["url": "smtp://mail:587", "from": "carillon@example.com"]

    @Test("an unknown key, a missing one and a bad value are told by their key")
    func problems() {
        #expect(problem("slack", ["webhok": "x"]).hasPrefix("webhok: there is no such key; this channel has base_url"))
        #expect(problem("mail", ["from": "a@example.com"]).hasPrefix("url: it is missing"))
        #expect(problem("mail", Self.mail.merging(["tls": "maybe"]) { $1 }).hasPrefix("tls: it is one of required"))
        #expect(problem("mail", Self.mail.merging(["username": "u"]) { $1 }).hasPrefix("password: it is missing"))
        #expect(problem("mail", Self.mail.merging(["password": "p"]) { $1 }).hasPrefix("username: it is missing"))
        #expect(problem("mail", Self.mail.merging(["url": "http://mail"]) { $1 }).hasPrefix("url: it begins"))
        #expect(problem("mail", Self.mail.merging(["url": "smtp://u:p@mail"]) { $1 }).contains("username and password"))
        #expect(problem("mail", Self.mail.merging(["from": "user@localhost"]) { $1 }).hasPrefix("from: "))
        #expect(problem("mail", Self.mail.merging(["url": "smtps://mail", "tls": "none"]) { $1 }).hasPrefix("tls: "))
        #expect(problem("mail", Self.mail.merging(["html": "{{ x"]) { $1 }).hasPrefix("html: "))
        #expect(problem("sms", ["account": "x"]).hasPrefix("provider: it is missing"))
        #expect(problem("sms", ["provider": "carrier-pigeon"]).hasPrefix("provider: it is one of"))
        #expect(
            problem("sms", ["provider": "twilio", "account": "AC/..", "token": "t", "from": "+1"]).hasPrefix("account"))
        #expect(problem("dingtalk", ["base_url": "ftp://x"]).hasPrefix("base_url: it begins with neither"))
        #expect(problem("dingtalk", ["on_ambiguous": "skip"]).hasPrefix("on_ambiguous: there is no such key"))
    }

    @Test("no fault repeats a value that may be secret")
    func secrets() {
        for (name, key) in [("mail", "password"), ("sms", "token"), ("sms", "access_key_secret"), ("slack", "url")] {
            for provider in ["twilio", "aliyun"] {
                var values = [key: "hunter2-hunter2"]
                if name == "sms" { values["provider"] = provider }
                #expect(!problem(name, values).contains("hunter2"))
            }
        }
    }

    @Test("a kind that needs nothing is made of nothing")
    func defaults() {
        for name in Channels.kindNames + ["inbox"] { #expect(problem(name, [:]) == "fine", "\(name)") }
        #expect(problem("mail", Self.mail) == "fine")
        #expect(Channels.byDefault.keys.sorted() == Channels.kindNames.sorted())
    }
}
