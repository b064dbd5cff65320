import CarillonRules
import CarillonWorker
import Testing

@Suite("Guard: a webhook cannot call the inside of the network (P12)", .timeLimit(.minutes(5)))
struct GuardTests {
    static let inside = [
        // IPv4: first, last and middle of each range.
        "0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.1.2.3", "10.255.255.255", "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.0.0.53", "127.1.2.3", "127.255.255.255", "168.63.129.16",
        "169.254.0.0", "169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.255.255", "172.16.0.0", "172.17.0.1",
        "172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.1", "192.0.2.255",
        "192.88.99.1",
        "192.168.0.0", "192.168.1.1", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
        "224.0.0.0", "224.0.0.251", "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255",
        // IPv6.
        "::", "::1", "::2", "::7f00:1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:7f00:1",
        "::ffff:0.0.0.0",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:192.168.0.1", "::ffff:255.255.255.255",
        "::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1",
        "64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1", "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1", "2001:db8:ffff::1", "2002:7f00:1::",
        "2002:7f00:1::1",
        "2002:a00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1",
        "fd00::1",
        "fd00:ec2::254", "fd00:ec2::253", "fdff:ffff::1", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1",
        "ff00::1", "ff02::1", "ff05::2", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ]
    static let outside = [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.1",
        "168.63.129.15", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0",
        "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111", "2a00:1450::1", "3ffe::1", "fbff::1", "64:ff9c::127.0.0.1", "::ffff:0:8.8.8.8",
    ]

    @Test("an address inside is refused", arguments: inside)
    func refuses(text: String) throws {
        #expect(!AddressGuard().allows(try #require(IPAddress(text))))
    }

    @Test("an address outside is allowed", arguments: outside)
    func allows(text: String) throws {
        #expect(AddressGuard().allows(try #require(IPAddress(text))))
    }

    @Test("an exemption opens its range and nothing else")
    func exemptions() throws {
        let exempt = AddressGuard(exemptions: [try CIDR("127.0.0.0/8"), try CIDR("::1"), try CIDR("fd00:7::/32")])
        for open in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "fd00:7::9"] {
            #expect(exempt.allows(try #require(IPAddress(open))), "\(open)")
        }
        for shut in [
            "10.0.0.1", "::2", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "fd00:8::1", "::ffff:10.0.0.1",
        ] {
            #expect(!exempt.allows(try #require(IPAddress(shut))), "\(shut)")
        }
        let all = AddressGuard(exemptions: [try CIDR("0.0.0.0/0")])
        #expect(all.allows(try #require(IPAddress("10.0.0.1"))))
        #expect(!all.allows(try #require(IPAddress("fd00::1"))))
    }

    @Test(
        "a text that is no range is refused with what is wrong",
        arguments: [
            ("", "not an address"), ("localhost", "not an address"), ("127.0.0.1.", "not an address"),
            ("127.1", "not an address"),
            ("0x7f.0.0.1", "not an address"), ("[::1]", "not an address"), ("::1%lo", "not an address"),
            (" ::1", "not an address"),
            ("10.0.0.0/33", "from 0 to 32"), ("::/129", "from 0 to 128"), ("10.0.0.0/", "from 0 to 32"),
            ("10.0.0.0/+8", "from 0"),
            ("10.0.0.0/-1", "from 0"), ("10.0.0.0/8/8", "from 0"), ("10.0.0.1/8", "behind the prefix"),
            ("::1/64", "behind the prefix"),
        ])
    func badRanges(text: String, problem: String) {
        do {
            _ = try CIDR(text)
            Issue.record("\(text) was read as a range")
        } catch {
            #expect(error.description.contains(problem) && error.description.contains("\"\(text)\""))
        }
    }

    @Test("the canary sings when it is exempt")
    func exemptCanary() async throws {
        let canary = ScriptedServer { _, _ in .answer(200) }
        defer { canary.stop() }
        let rig = try CourierRig(exempt: ["127.0.0.1"])
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint("http://2130706433:\(canary.port)/hook")))?.outcome == .delivered)
        #expect(canary.connections == 1)
    }
}
