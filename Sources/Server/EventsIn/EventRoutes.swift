import Hummingbird
import HTTPTypes
import NIOCore
import Synchronization

// The door's side that knows HTTP: reads the body within its bounds and writes the answers.

/// What a request carries along: the time its body has to arrive.
struct ServerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let deadline: BodyDeadline

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        deadline = BodyDeadline(source.channel)
    }
}

/// Closes the connection of a request whose body does not arrive in time, however steadily its sender trickles.
///
/// Called off only by who reads the body to its end: what nobody reads may go on arriving behind the answer.
final class BodyDeadline: Sendable {
    private let channel: any Channel
    private let scheduled = Mutex<Scheduled<Void>?>(nil)

    init(_ channel: any Channel) { self.channel = channel }

    func begin(_ time: TimeAmount) {
        let closing = channel.eventLoop.scheduleTask(in: time) { [channel] in channel.close(promise: nil) }
        scheduled.withLock { $0 = closing }
    }

    func callOff() { scheduled.withLock { $0 }?.cancel() }

    /// Begins it for each request that has a body, whatever becomes of the request.
    struct Middleware: RouterMiddleware {
        let time: TimeAmount

        func handle(
            _ request: Request, context: ServerContext,
            next: @concurrent (Request, ServerContext) async throws -> Response
        ) async throws -> Response {
            if RequestHead(request).hasBody { context.deadline.begin(time) }
            return try await next(request, context)
        }
    }
}

/// `/v1/events`.
struct EventRoutes: Sendable {
    let door: EventDoor

    func add(to router: Router<ServerContext>) {
        router.post("v1/events") { request, context in await answer(request, context) }
        router.on("v1/events", method: .options) { request, _ in handshake(request) }
        for method in [HTTPRequest.Method.get, .head, .put, .delete, .patch] {
            router.on("v1/events", method: method) { _, _ in
                Response(status: .methodNotAllowed, headers: [.allow: "POST, OPTIONS"])
            }
        }
    }

    private func answer(_ request: Request, _ context: ServerContext) async -> Response {
        do throws(Problem) {
            let head = RequestHead(request)
            let pass = try door.enter(head)
            var reserved = 0
            defer { door.room.giveBack(reserved) }
            let body = try await read(request, head, context, &reserved)
            let count = try await door.take(head, body, pass)
            return Response(
                status: .accepted, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"accepted\":\(count)}\n")))
        } catch { return Response(error) }
    }

    /// The body, each part of it within the room that all requests share.
    private func read(
        _ request: Request, _ head: RequestHead, _ context: ServerContext, _ reserved: inout Int
    ) async throws(Problem) -> [UInt8] {
        // A promised length is taken as a whole, so that requests do not starve each other half-way.
        reserved = 1_024 + (head.length ?? 0)
        guard door.room.take(reserved) else {
            reserved = 0
            throw .full
        }
        var body: [UInt8] = []
        do {
            for try await part in request.body {
                let size = body.count + part.readableBytes
                guard size <= door.limits.body else {
                    throw Problem.tooLarge("the request has more than \(door.limits.body) bytes; send smaller batches")
                }
                if size > reserved {
                    guard door.room.take(size - reserved) else { throw Problem.full }
                    reserved = size
                }
                body += part.readableBytesView
            }
        } catch let problem as Problem { throw problem } catch {
            throw Problem(
                .badRequest, .incomplete, "the connection ended before the promised length; nothing was taken")
        }
        context.deadline.callOff()
        return body
    }

    /// CloudEvents' webhook handshake: events from anywhere are welcome, as each POST has to show its token.
    private func handshake(_ request: Request) -> Response {
        var headers: HTTPFields = [.allow: "POST, OPTIONS"]
        if case .closed = door.openTo { return Response(status: .ok, headers: headers) }
        if let name = HTTPField.Name("webhook-request-origin"), let origin = request.headers[name] {
            if let allowed = HTTPField.Name("webhook-allowed-origin") { headers[allowed] = origin }
            if let rate = HTTPField.Name("webhook-allowed-rate") { headers[rate] = "*" }
        }
        return Response(status: .ok, headers: headers)
    }
}

extension RequestHead {
    init(_ request: Request) {
        headers = request.headers.map { ($0.name.canonicalName, $0.value) }
        authority = request.head.authority
    }
}

extension Response {
    init(_ problem: Problem) {
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if let seconds = problem.retryAfter { headers[.retryAfter] = "\(seconds)" }
        if problem.status == .unauthorized { headers[.wwwAuthenticate] = "Bearer realm=\"carillon\"" }
        self.init(
            status: HTTPResponse.Status(code: problem.status.rawValue), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: problem.json)))
    }
}
