extension DocumentCase {
    /// What a contact says, at line 4 of `peopleDocument`, its value from column 10.
    static let contacts: [DocumentCase] = [
        .init(
            "a contact may say all",
            #"{mail: a@b.co, phone: "+8613800000001", zone: Asia/Shanghai, quiet: "22:00-07:00", aliases: [u1], verified: true}"#,
            []),
        .init("a contact may say nothing: the inbox needs no address", "{}", []),
        .init("a contact is a mapping", "a@b.co", ["4:10: a contact is a mapping, not a single value"]),
        .init("an address of mail, V110", "{mail: a@b.co}", []),
        .init(
            "a domain without a point, V110", "{mail: user@localhost}",
            [
                "4:17: the mail address 'user@localhost' has a domain without a point; write the whole domain, such as example.com"
            ]),
        .init("points, a plus and hyphens, V110", "{mail: a.b+c@x-y.example.com}", []),
        .init(
            "a space, V110", "{mail: a b@x.com}",
            [
                "4:17: the mail address 'a b@x.com' has a space or another sign that addresses do not have; write name@example.com"
            ]),
        .init("no at", "{mail: alice}", ["4:17: the mail address 'alice' has no '@'; write name@example.com"]),
        .init(
            "nothing before the at", "{mail: \"@x.com\"}",
            ["4:17: the mail address '@x.com' has nothing before the '@'"]),
        .init(
            "two ats", "{mail: a@b@x.com}",
            ["4:17: the mail address 'a@b@x.com' has signs before the '@' that need quoting, which is not supported"]),
        .init(
            "a point at the end of the name", "{mail: a.@x.com}",
            ["4:17: the mail address 'a.@x.com' has signs before the '@' that need quoting, which is not supported"]),
        .init(
            "a hyphen at the end of a label", "{mail: a@x-.com}",
            ["4:17: the mail address 'a@x-.com' has a domain that is none; write one such as example.com"]),
        .init(
            "an address of the internet is no domain", "{mail: a@10.0.0.1}",
            ["4:17: the mail address 'a@10.0.0.1' has a domain that is none; write one such as example.com"]),
        .init(
            "a line break would be a header of its own", #"{mail: "a@x.com\nBcc: b@x.com"}"#,
            [
                "4:17: the mail address 'a@x.com?Bcc: b@x.com' has a space or another sign that addresses do not have; write name@example.com"
            ]),
        .init(
            "a number without its country", "{phone: 13800000001}",
            [
                "4:18: the phone number '13800000001' is not E.164; write '+', the country's code and the number, such as +8613800000001"
            ]),
        .init(
            "a number with spaces", #"{phone: "+86 138-0000 0001"}"#,
            ["4:18: the phone number '+86 138-0000 0001' has more than digits; write +8613800000001"]),
        .init("a number without quotes is text", "{phone: +8613800000001}", []),
        .init(
            "a number too short", #"{phone: "+86"}"#, ["4:18: the phone number '+86' has 2 digits; E.164 has 7 to 15"]),
        .init(
            "a number too long", #"{phone: "+1234567890123456"}"#,
            ["4:18: the phone number '+1234567890123456' has 16 digits; E.164 has 7 to 15"]),
        .init(
            "no country's code begins with zero", #"{phone: "+0123456789"}"#,
            ["4:18: the phone number '+0123456789' begins with +0, and no country's code does"]),
        .init(
            "digits of another script", #"{phone: "+٨٦١٣٨٠٠٠٠٠٠٠١"}"#,
            [
                "4:18: the phone number '+٨٦١٣٨٠٠٠٠٠٠٠١' is not E.164; write '+', the country's code and the number, such as +8613800000001"
            ]),
        .init(
            "a zone that is none", "{zone: Asia/Peking}",
            ["4:17: 'Asia/Peking' is no time zone; name one of the IANA's, such as Asia/Shanghai or UTC"]),
        .init(
            "a zone is no file elsewhere", "{zone: ../../../etc/passwd}",
            ["4:17: '../../../etc/passwd' is no time zone; name one of the IANA's, such as Asia/Shanghai or UTC"]),
        .init(
            "a folder is no zone", "{zone: Asia}",
            ["4:17: 'Asia' is no time zone; name one of the IANA's, such as Asia/Shanghai or UTC"]),
        .init(
            "quiet hours without a zone are UTC's", #"{quiet: "22:00-07:00"}"#,
            ["4:18: warning: quiet hours without 'zone' are those of UTC; add a zone, such as Asia/Shanghai"]),
        .init("quiet hours may stand without quotes", "{zone: UTC, quiet: 22:00-07:00}", []),
        .init(
            "quiet hours that never are", #"{zone: UTC, quiet: "07:00-07:00"}"#,
            [#"4:29: 'quiet' is two times of a day that differ, such as "22:00-07:00", not '07:00-07:00'"#]),
        .init(
            "a day has 24 hours", #"{zone: UTC, quiet: "22:00-24:00"}"#,
            [#"4:29: 'quiet' is two times of a day that differ, such as "22:00-07:00", not '22:00-24:00'"#]),
        .init(
            "a fault in the zone is told once", #"{zone: Nowhere, quiet: "22:00-07:00"}"#,
            ["4:17: 'Nowhere' is no time zone; name one of the IANA's, such as Asia/Shanghai or UTC"]),
        .init("a preference orders what overflows", "{mail: a@b.co, prefer: [mail, inbox]}", []),
        .init(
            "a preference needs its address", "{prefer: [sms]}",
            ["4:20: contact 'alice' prefers sms and has no 'phone'"]),
        .init("a contact may want fewer", #"{phone: "+8613800000001", quota: {sms: [3/15m, 20/1d]}}"#, []),
        .init(
            "a quota is of a channel with an address", "{mail: a@b.co, quota: {sms: [3/15m]}}",
            ["4:33: contact 'alice' limits sms and has no 'phone'"]),
        .init(
            "a limit is a number in a span", "{mail: a@b.co, quota: {mail: [3/15m, 0/1m, 5, 1/0s]}}",
            [
                "4:47: a limit is a number of messages in a span, such as 3/15m or 20/1d, not '0/1m'",
                "4:53: a limit is a number of messages in a span, such as 3/15m or 20/1d, not '5'",
                "4:56: a limit is a number of messages in a span, such as 3/15m or 20/1d, not '1/0s'",
            ]),
        .init(
            "a quota is of a channel of people", "{mail: a@b.co, quota: {maul: [3/15m]}}",
            ["4:33: 'maul' is no channel of people; did you mean 'mail'?"]),
        .init("an unknown key", "{mial: a@b.co}", ["4:11: unknown key 'mial' in a contact; did you mean 'mail'?"]),
        .init("an alias is a name", "{aliases: ['']}", ["4:21: an alias is empty"]),
        .init(
            "an alias that is another contact", "{aliases: [wei]}",
            ["4:21: the alias 'wei' is a contact's at f.yaml:5 name"]),
        .init(
            "an alias that is the contact's own name", "{aliases: [alice]}",
            ["4:21: the alias 'alice' is the contact's own name"]),
        .init(
            "an alias of two contacts", "{aliases: [w1]}",
            ["5:44: the alias 'w1' is that of contact 'alice' at f.yaml:4 already; an owner has to be one person"]),
    ]

    /// Groups, at line 6 from column 9, and whom the rule tells, after a bar.
    static let groups: [DocumentCase] = [
        .init("a group of contacts", "{oncall: [alice, wei]} | [{mail: [oncall]}]", []),
        .init("a group may stand in a group", "{all: [oncall, alice], oncall: [wei]} | [{mail: [all]}]", []),
        .init(
            "a group is not empty", "{oncall: []} | [{mail: [alice]}]",
            ["6:10: group 'oncall' is empty; name contacts or groups"]),
        .init(
            "a group is a list", "{oncall: alice} | [{mail: [alice]}]",
            ["6:18: group 'oncall' is a list, such as [a, b], not a single value"]),
        .init(
            "a member nobody knows", "{oncall: [alise]} | [{mail: [alice]}]",
            ["6:19: there is no contact or group 'alise'; did you mean 'alice'?"]),
        .init(
            "the owner is no member", "{oncall: [$owner]} | [{mail: [alice]}]",
            ["6:19: there is no contact or group '$owner'; people of an event stand in 'notify' only"]),
        .init(
            "a group in itself", "{a: [b], b: [c, alice], c: [a]} | [{mail: [alice]}]",
            ["6:37: group 'a' is in itself: a → b → c → a"]),
        .init(
            "a group with the name of a contact", "{alice: [wei]} | [{mail: [wei]}]",
            ["6:10: 'alice' is a contact at f.yaml:4; a group needs another name"]),
        .init(
            "a group with the name of a channel", "{mail: [wei]} | [{mail: [wei]}]",
            ["6:10: 'mail' is the name of a channel; a group needs another"]),
        .init(
            "a name with a dollar", "{$all: [wei]} | [{mail: [wei]}]",
            ["6:10: a group's name does not begin with '$', which stands for people of an event"]),
        .init(
            "a name with a slash", "{a/b: [wei]} | [{mail: [wei]}]",
            ["6:10: a group's name has no '/', which parts channel and contact in lists"]),
        .init("somebody unknown is told", "{} | [{mail: [bob]}]", ["10:22: there is no contact or group 'bob'"]),
        .init(
            "a contact without the channel's address", "{} | [{sms: [alice]}]",
            ["10:21: contact 'alice' has no 'phone', which sms needs; add it, or choose another channel"]),
        .init(
            "one in a group without the channel's address", "{oncall: [wei, alice]} | [{sms: [oncall]}]",
            ["10:21: contact 'alice' of 'oncall' has no 'phone', which sms needs; add it, or choose another channel"]),
        .init("the inbox needs no address", "{oncall: [wei, alice]} | [{inbox: [oncall]}]", []),
        .init(
            "a contact alone is told on a channel", "{} | [alice]",
            ["10:14: there is no endpoint 'alice'; people are told on a channel: - mail: [alice]"]),
        .init(
            "a contact named twice on a channel counts once", "{} | [{mail: [alice, alice]}]",
            ["10:29: warning: 'alice' is named twice on mail and counts once"]),
        .init(
            "a contact named by itself and in a group counts once", "{oncall: [alice]} | [{mail: [alice, oncall]}]", []),
    ]
}
