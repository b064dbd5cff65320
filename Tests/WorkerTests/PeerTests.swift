import CarillonEvents
import CarillonPlatform
import CarillonWorker
import Foundation
import Testing

@Suite("Peers: receivers that others wrote", .timeLimit(.minutes(5)), .enabled(if: Peers.mayRun, Peers.words))
struct PeerTests {
    /// Python answers when it gets to it; what these tests ask is never how soon.
    private static let patience = Duration.seconds(60)
    private let certificates: Certificates

    init() throws { certificates = try Certificates() }

    private func hook(
        _ receiver: PeerReceiver, _ wire: WireTerms? = nil, path: String = "/hook", secrets: [[UInt8]] = []
    ) -> Endpoint {
        Endpoint(
            name: "hook", url: receiver.url(path), secrets: secrets, headers: [], wire: wire, channel: WebhookChannel())
    }

    @Test("a private authority vouches for a receiver where the document brings it, there alone, and alone")
    func privateAuthority() async throws {
        let receiver = try PeerReceiver(certificates)
        let rig = try CourierRig(timeout: Self.patience)
        defer { rig.courier.close() }
        let ours = WireTerms(authorities: try certificates.pem("ca"))
        let theirs = WireTerms(authorities: try certificates.pem("stranger"))
        #expect(await rig.send(outgoing(hook(receiver), id: 1))?.outcome == .failed(.tls, after: nil))
        #expect(await rig.send(outgoing(hook(receiver, ours), id: 2))?.outcome == .delivered)
        #expect(await rig.send(outgoing(hook(receiver), id: 3))?.outcome == .failed(.tls, after: nil), "not by that")
        #expect(await rig.send(outgoing(hook(receiver, theirs), id: 4))?.outcome == .failed(.tls, after: nil))
        #expect(await rig.send(outgoing(hook(receiver, ours), id: 5))?.outcome == .delivered)
        let receipts = try receiver.receipts(2)
        #expect(receipts.count == 2 && receipts.allSatisfy { $0.version == "1.1" })
    }

    @Test("a receiver that asks for a certificate gets the endpoint's, and no other endpoint's connection")
    func clientCertificate() async throws {
        let receiver = try PeerReceiver(certificates, "--client-ca", certificates.path("ca"))
        let rig = try CourierRig(timeout: Self.patience)
        defer { rig.courier.close() }
        let ca = try certificates.pem("ca")
        func terms(_ name: String, key: String) throws -> WireTerms {
            WireTerms(authorities: ca, certificate: try certificates.pem(name), key: try certificates.pem(key))
        }
        let bare = hook(receiver, WireTerms(authorities: ca))
        let known = hook(receiver, try terms("client", key: "client.key"))
        #expect(await rig.send(outgoing(bare, id: 1))?.outcome != .delivered)
        #expect(await rig.send(outgoing(known, id: 2))?.outcome == .delivered)
        #expect(await rig.send(outgoing(bare, id: 3))?.outcome != .delivered, "not over the connection that is kept")
        let impostor = hook(receiver, try terms("impostor", key: "impostor.key"))
        #expect(await rig.send(outgoing(impostor, id: 4))?.outcome != .delivered)
        let mixed = hook(receiver, try terms("client", key: "impostor.key"))
        #expect(await rig.send(outgoing(mixed, id: 5))?.outcome == .failed(.tls, after: nil))
        #expect(await rig.send(outgoing(known, id: 6))?.outcome == .delivered)
        #expect(try receiver.receipts(2).count == 2)
    }

    @Test("HTTP/2 is spoken where the document offers it, over one connection, and HTTP/1.1 elsewhere")
    func versions() async throws {
        let receiver = try PeerReceiver(certificates)
        let rig = try CourierRig(concurrency: 4, timeout: Self.patience)
        defer { rig.courier.close() }
        let ca = try certificates.pem("ca")
        let two = hook(receiver, WireTerms(authorities: ca, offersHTTP2: true))
        #expect(await rig.send(outgoing(two, id: 1))?.outcome == .delivered)
        rig.courier.offer((2...20).map { outgoing(two, id: $0) })
        #expect(await rig.endings(19).allSatisfy { $0.outcome == .delivered })
        let one = hook(receiver, WireTerms(authorities: ca), path: "/one")
        #expect(await rig.send(outgoing(one, id: 21))?.outcome == .delivered)
        let receipts = try receiver.receipts(21)
        #expect(receipts.allSatisfy { $0.version == ($0.path == "/one" ? "1.1" : "2") })
        #expect(Set(receipts.filter { $0.version == "2" }.map(\.client)).count == 1)
        #expect(Set(receipts.map(\.id)).count == 21)
    }

    @Test("a receiver that hangs over HTTP/2 may have the request, so nobody knows")
    func hanging() async throws {
        let receiver = try PeerReceiver(certificates)
        let rig = try CourierRig(timeout: .seconds(2))
        defer { rig.courier.close() }
        let terms = WireTerms(authorities: try certificates.pem("ca"), offersHTTP2: true)
        let ending = await rig.send(outgoing(hook(receiver, terms, path: "/hang")))
        #expect(ending?.outcome == .ambiguous(.contextDeadlineExceeded))
    }

    @Test("a signature holds by the package that others check with: with either secret while one rotates")
    func signatures() async throws {
        let (new, old) = (
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
        )
        let secrets = try [new, old].map { text throws(WebhookSecretError) in try WebhookSecret.parse(text) }
        let stranger = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
        for (checked, holds) in [(new, true), (old, true), (stranger, false)] {
            let receiver = try PeerReceiver(certificates, "--secret", checked)
            let rig = try CourierRig(timeout: Self.patience, clock: SystemClock())
            defer { rig.courier.close() }
            let terms = WireTerms(authorities: try certificates.pem("ca"))
            let signed = outgoing(
                hook(receiver, terms, secrets: secrets), message: "dlc-7f3a: 失败 \u{1F514}", leaseEnds: .seconds(1 << 40)
            )
            #expect(await rig.send(signed)?.outcome == .delivered)
            let verdict = try receiver.receipts(1).first?.verified
            #expect((verdict == .yes) == holds, "\(checked): \(String(describing: verdict))")
        }
    }
}
