import ArgumentParser
import CarillonEvents
import CarillonPlatform
import CarillonServer
import CarillonWorker
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

struct Sink: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "Receives webhooks for trying out: one JSON line a request, signature checked.",
        discussion: """
            A request's line is written before it is answered, so what was answered is on paper even when the sink \
            is killed. Prints its address as the first line on standard error.

              carillon sink --listen 127.0.0.1:9000
              carillon sink --listen 127.0.0.1:0 --secret "$(cat key)" > got.jsonl
              carillon sink --listen 127.0.0.1:9000 --fail 503:0.1 \\
                --fail 429:0.01 --delay 50ms --seed 7
            """)
    static let largestBody = 4 << 20

    @Option(help: "HOST:PORT; port 0 takes a free one.") var listen: String
    @Option(help: "A signing secret, whsec_…; give two while one rotates.") var secret: [String] = []
    @Option(help: ArgumentHelp("Answers that share of requests with a status.", valueName: "status:rate"))
    var fail: [String] = []
    @Option(help: "How long each answer takes, such as 50ms.") var delay: String?
    @Option(help: "Decides which requests fail.") var seed: UInt64 = 1
    @OptionGroup var deployment: Deployment

    func run() async throws {
        _ = try deployment.configuration()
        guard let address = parsedAddress(listen) else {
            throw Failure.usage("--listen \(listen): write HOST:PORT, such as 127.0.0.1:9000")
        }
        let receiver = try receiver()
        var logger = Logger(label: "carillon.sink")
        logger.logLevel = .critical
        let app = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in try await receiver.answer(request) },
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port), backlog: 1024),
            onServerRunning: { channel in
                Console.error(
                    "carillon sink listens on http://\(address.host):\(channel.localAddress?.port ?? address.port)")
            }, logger: logger)
        let second = SecondInterrupt()
        defer { second.cancel() }
        do { try await app.runService() } catch { throw listenFailure(error, address: listen) ?? error }
    }

    private func receiver() throws -> Receiver {
        let faults = try fail.map { text in
            guard let fault = SinkFaults.Fault(text) else {
                throw Failure.usage("--fail \(text): write STATUS:RATE, such as 503:0.1")
            }
            return fault
        }
        let wait = try delay.map { text in
            guard let duration = Duration(text: text) else { throw Failure.usage("--delay \(text): write 50ms or 2s") }
            return duration
        }
        do throws(WebhookSecretError) {
            return Receiver(
                signature: try SinkSignature(secrets: secret), faults: SinkFaults(faults, seed: seed), delay: wait)
        } catch { throw Failure.usage("--secret: \(error)") }
    }
}

/// Takes one request after the other, from any number of connections.
private final class Receiver: Sendable {
    private let signature: SinkSignature
    private let faults: SinkFaults
    private let delay: Duration?
    private let output = Mutex(())

    init(signature: SinkSignature, faults: SinkFaults, delay: Duration?) {
        (self.signature, self.faults, self.delay) = (signature, faults, delay)
    }

    func answer(_ request: Request) async throws -> Response {
        let collected = try await request.body.collect(upTo: Sink.largestBody)
        let body = Array(collected.readableBytesView)
        func header(_ name: HTTPField.Name?) -> String { name.flatMap { request.headers[$0] } ?? "" }
        let line = SinkLine(
            time: clock.now(), status: faults.status(), id: header(Self.idName), attempt: header(Self.attemptName),
            signature: signature.verdict(
                id: header(Self.idName), timestamp: header(Self.timestampName), signature: header(Self.signatureName),
                body: body),
            body: body)
        guard write(line.bytes) else { Foundation._exit(0) }
        if let delay { try await Task.sleep(for: delay) }
        return Response(status: HTTPResponse.Status(code: line.status))
    }

    /// False when nobody reads the lines any more.
    private func write(_ bytes: [UInt8]) -> Bool { output.withLock { _ in Console.write(bytes, to: STDOUT_FILENO) } }

    private static let idName = HTTPField.Name("webhook-id")
    private static let timestampName = HTTPField.Name("webhook-timestamp")
    private static let signatureName = HTTPField.Name("webhook-signature")
    private static let attemptName = HTTPField.Name("carillon-attempt")
}

/// Why a server cannot listen; `nil` for other errors.
func listenFailure(_ error: any Error, address: String) -> Failure? {
    ListenError(error, address: address).map { Failure($0.description) }
}
