import CarillonRules
import CarillonWorker
import Foundation
import Glibc
import Synchronization
import Testing

@Suite("Canary: nothing a document can say opens a connection to the inside (P12)", .timeLimit(.minutes(10)))
struct CanaryTests {
    /// Hosts that are this machine, or that some reader of addresses takes for it.
    static let spellings = [
        // Decimal, octal, hexadecimal, short and mixed forms.
        "127.0.0.1", "127.1", "127.0.1", "127.00.00.01", "0127.0.0.1", "0177.0.0.1", "0177.0.0.01", "0x7f.0.0.1",
        "0x7f.0x0.0x0.0x1", "0X7F.1", "0x7f000001", "0x7F000001", "0x000000007f000001", "2130706433", "02130706433",
        "017700000001", "00000000017700000001", "4294967295", "0", "00", "0x0", "0.0", "0.0.0.0", "127.255.255.254",
        "127.127.127.127", "3232235777", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518",
        // More than a byte or a word holds.
        "383.256.256.257", "127.0.0.257", "0x17f000001", "6425673729", "127.0.0.1.1", "1.2.3.4.127.0.0.1",
        // IPv6, also with an IPv4 address inside.
        "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::127.0.0.1]",
        "[::7f00:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:0001]",
        "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
        "[2002:7f00:1::7f00:1]", "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fe80::1%25eth0]", "[fd00:ec2::254]",
        "[ff02::1]", "[ff02::1%25lo]",
        // Names, trailing dots, case.
        "localhost", "LOCALHOST", "LocalHost", "localhost.", "127.0.0.1.", "127.1.", "2130706433.", "0x7f000001.",
        "ip6-localhost", "localhost.localdomain", "a.localhost", "a.localhost.",
        // Other scripts and percent-encoding.
        "１２７.０.０.１", "１２７。０。０。１", "127。0。0。1", "①②⑦.⓪.⓪.①", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ", "xn--localhost", "١٢٧.٠.٠.١",
        "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "%6c%6f%63%61%6c%68%6f%73%74", "127.0.0.1%00.example.com",
        "localhost%00.example.com",
        // Users, and what may look like a host in front of or behind the real one.
        "user@127.0.0.1", "user:pass@127.0.0.1", "example.com@127.0.0.1", "example.com%40127.0.0.1",
        "example.com:80@127.0.0.1", "a@b@127.0.0.1", "@127.0.0.1", ":@127.0.0.1", "127.0.0.1\\@example.com",
        "example.com\\@127.0.0.1", "127.0.0.1#@example.com", "127.0.0.1?@example.com", "127.0.0.1;example.com",
        "127.0.0.1,example.com", "127.0.0.1 example.com", "127.0.0.1\texample.com", "127.0.0.1\r\nx", " 127.0.0.1",
        "/127.0.0.1", "//127.0.0.1", "\\127.0.0.1", "[127.0.0.1]", "[::1", "::1", "{127.0.0.1}", "$(127.0.0.1)",
    ]

    private static func nothingSent(_ ending: Ending) -> Bool {
        switch ending.outcome {
        case .refused(.blocked), .refused(.clientError), .failed: true
        default: false
        }
    }

    @Test("however the host is spelled", arguments: spellings)
    func spelled(host: String) async throws {
        let canary = try Canary()
        let rig = try CourierRig(timeout: .seconds(5), exempt: [])
        defer { rig.courier.close() }
        let ending = try #require(await rig.send(outgoing(endpoint("http://\(host):\(canary.port)/hook"))))
        #expect(Self.nothingSent(ending), "\(ending.outcome)")
        #expect(canary.connections == 0)
    }

    @Test("whatever address inside stands in the url, or is what a name resolves to", arguments: GuardTests.inside)
    func addressed(text: String) async throws {
        let canary = try Canary()
        let rig = try CourierRig(exempt: [], resolver: { _ in [text] })
        defer { rig.courier.close() }
        let literal = text.contains(":") ? "[\(text)]" : text
        for (id, host) in [(Int64(1), literal), (2, "hooks.example.com")] {
            let hook = endpoint("http://\(host):\(canary.port)/hook")
            #expect(await rig.send(outgoing(hook, id: id))?.outcome == .refused(.blocked), "\(host)")
        }
        #expect(canary.connections == 0)
    }

    @Test(
        "whatever the scheme",
        arguments: [
            "ftp", "ftps", "file", "gopher", "dict", "telnet", "tftp", "ldap", "ldaps", "scp", "sftp", "smb", "imap",
            "pop3", "rtsp", "mqtt", "smtp", "smtps", "ws", "wss", "data", "javascript", "jar", "unix", "HTTPX", "",
        ])
    func schemed(scheme: String) async throws {
        let canary = try Canary()
        // Exempt, so that it is the scheme that is refused and nothing else.
        let rig = try CourierRig(exempt: ["0.0.0.0/0"])
        defer { rig.courier.close() }
        let ending = try #require(
            await rig.send(outgoing(endpoint("\(scheme)://127.0.0.1:\(canary.port)/etc/passwd"))))
        #expect(ending.outcome == .refused(.clientError))
        #expect(canary.connections == 0)
        #expect(WebAddress.fault(of: "\(scheme)://127.0.0.1:\(canary.port)/") != nil)
    }

    @Test("wherever a receiver points to", arguments: [301, 302, 303, 307, 308], [0, 1, 2, 3])
    func redirected(status: Int, way: Int) async throws {
        let canary = try Canary()
        let inside = "http://127.0.0.1:\(canary.port)/"
        let ways = [
            ["Location: \(inside)"], ["Location: //127.0.0.1:\(canary.port)/", "Refresh: 0; url=\(inside)"],
            ["Location: file:///etc/passwd"],
            [
                "Location: \(inside)", "Alt-Svc: http/1.1=\"127.0.0.1:\(canary.port)\"",
                "Link: <\(inside)>; rel=preload",
            ],
        ]
        let server = ScriptedServer { _, _ in .answer(status, headers: ways[way]) }
        defer { server.stop() }
        // The canary is as exempt as the server, so it is the redirect that is not followed.
        let rig = try CourierRig()
        defer { rig.courier.close() }
        for id in 1...2 {
            #expect(
                await rig.send(outgoing(endpoint(server.url), id: Int64(id)))?.outcome
                    == .failed(.clientError, after: nil))
        }
        #expect(canary.connections == 0)
    }

    @Test("when a name is bound anew, a kept connection stays where it is and a new one is refused")
    func rebound() async throws {
        let server = ScriptedServer { number, _ in .answer(200, headers: number == 1 ? ["Connection: close"] : []) }
        defer { server.stop() }
        let canary = try Canary(address: "127.0.0.2", port: server.port)
        let name = Name("127.0.0.1")
        let rig = try CourierRig(exempt: ["127.0.0.1"], resolver: { _ in name.addresses.withLock { $0 } })
        defer { rig.courier.close() }
        let hook = endpoint("http://hooks.example.com:\(server.port)/hook")
        #expect(await rig.send(outgoing(hook, id: 1))?.outcome == .delivered)
        name.addresses.withLock { $0 = ["127.0.0.2"] }
        #expect(await rig.send(outgoing(hook, id: 2))?.outcome == .delivered)
        #expect(server.connections == 1)
        #expect(await rig.send(outgoing(hook, id: 3))?.outcome == .refused(.blocked))
        // Of several addresses only the allowed are tried.
        name.addresses.withLock { $0 = ["127.0.0.2", "127.0.0.1", "169.254.169.254"] }
        #expect(await rig.send(outgoing(hook, id: 4))?.outcome == .delivered)
        #expect(server.connections == 2 && canary.connections == 0)
    }

    @Test("a proxy in the environment is not asked")
    func proxies() async throws {
        let canary = try Canary()
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        for name in names { unsafe setenv(name, "http://127.0.0.1:\(canary.port)", 1) }
        defer { for name in names { unsafe unsetenv(name) } }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(server.url)))?.outcome == .delivered)
        #expect(canary.connections == 0)
    }

    @Test("the canary sings when its address is exempt", arguments: ["127.0.0.1", "[::1]", "127.9.9.9", "localhost"])
    func exempt(host: String) async throws {
        let canary = try Canary()
        let rig = try CourierRig(timeout: .milliseconds(500), exempt: ["127.0.0.0/8", "::1"])
        defer { rig.courier.close() }
        let ending = await rig.send(outgoing(endpoint("http://\(host):\(canary.port)/hook")))
        #expect(ending?.outcome == .ambiguous(.contextDeadlineExceeded), "it never answers")
        #expect(canary.connections == 1)
    }

    @Test("a document's address with a user, a blank or a backslash is refused when it is read", arguments: spellings)
    func documents(host: String) {
        let isTrick = host.contains { "@\\ \t\r\n/{}$();,#?%".contains($0) } && !host.hasPrefix("127.0.0.1#")
        guard isTrick, !host.contains("#"), !host.contains("?"), !host.hasPrefix("/") else { return }
        #expect(WebAddress.fault(of: "http://\(host):80/hook") != nil)
    }
}

private final class Name: Sendable {
    let addresses: Mutex<[String]>
    init(_ address: String) { addresses = Mutex([address]) }
}

/// A listener that nobody should reach: on every address of this machine, of both families, unless one is named.
///
/// The kernel answers a connection before anybody accepts it, so counting is accepting what is there.
private final class Canary: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)

    init(address: String? = nil, port: UInt16 = 0) throws {
        let family = address == nil ? AF_INET6 : AF_INET
        listener = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var storage = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        if let address {
            size = socklen_t(MemoryLayout<sockaddr_in>.size)
            unsafe withUnsafeMutableBytes(of: &storage) { bytes in
                var four = sockaddr_in()
                four.sin_family = sa_family_t(AF_INET)
                four.sin_port = port.bigEndian
                unsafe _ = inet_pton(AF_INET, address, &four.sin_addr)
                unsafe withUnsafeBytes(of: &four) { unsafe bytes.copyMemory(from: $0) }
            }
        } else {
            var no: Int32 = 0
            unsafe _ = setsockopt(listener, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &no, socklen_t(MemoryLayout<Int32>.size))
            storage.sin6_family = sa_family_t(AF_INET6)
        }
        let listener = self.listener
        let bound = unsafe withUnsafeMutableBytes(of: &storage) { bytes -> Bool in
            guard let base = unsafe bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return false }
            let isBound = unsafe bind(listener, base, size) == 0
            unsafe _ = getsockname(listener, base, &size)
            return isBound
        }
        self.port = UInt16(bigEndian: storage.sin6_port)
        try #require(bound && listen(listener, 64) == 0, "the canary has no place to sit")
    }

    deinit { close(listener) }

    var connections: Int {
        accepted.withLock { count in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return count }
                count += 1
                close(connection)
            }
        }
    }
}
