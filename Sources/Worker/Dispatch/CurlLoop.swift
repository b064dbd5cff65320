import CCurl
import CarillonEvents
import CarillonLedger

/// The courier's thread: what it owns and what it does, round after round.
@safe final class CurlLoop {
    private let desk: CourierDesk
    private let multi: UnsafeMutableRawPointer
    private let configuration: CurlCourier.Configuration
    private let addressGuard: AddressGuard
    private let sockets: CurlSockets
    private let clock: any Clock
    private let onEnding: @Sendable () -> Void
    private let crash: CrashPoints

    private var lanes: Lanes
    private var forerunners = Forerunners()
    /// All handles ever needed at a time, and those without work; the last used first, while its memory is warm.
    private var transfers: [CurlTransfer] = []
    private var idle: [CurlTransfer] = []
    private var endings: [Ending] = []
    /// Begun since curl last ran.
    private var begun = 0
    /// Tries that ended and that the worker has not written down.
    private var unsettled = 0
    /// How often answers that do not end are looked for, in milliseconds of the sockets' clock, and when that was last.
    private let lookEvery: Int64
    private var looked: Int64 = 0
    /// An answer of which something has come in so many looks is cut.
    private static let looks = 5

    init(
        desk: CourierDesk, configuration: CurlCourier.Configuration, clock: any Clock,
        onEnding: @escaping @Sendable () -> Void, crash: CrashPoints
    ) {
        self.desk = desk
        CurlLibrary.start()
        guard let multi = unsafe curl_multi_init() else { fatalError("libcurl has no memory for a multi handle") }
        unsafe self.multi = multi
        sockets = CurlSockets(bell: desk.bell)
        (self.configuration, self.clock, self.onEnding, self.crash) = (configuration, clock, onEnding, crash)
        addressGuard = AddressGuard(exemptions: configuration.exemptions)
        lookEvery = max(1, configuration.answerTime.milliseconds / Int64(Self.looks))
        lanes = Lanes(perLane: configuration.perLane, places: configuration.concurrency)
        unsafe _ = carillon_multi_setopt_long(multi, CURLMOPT_MAXCONNECTS, configuration.concurrency)
        unsafe sockets.attach(to: multi)
    }

    /// Runs until the desk says close.
    func run() {
        OwnThread.blockBrokenPipes()
        while true {
            let orders = desk.take()
            for delivery in orders.deliveries { lanes.add(delivery) }
            unsettled -= orders.settled
            for lane in orders.withdrawn { endUnsent(lanes.removeWaiting(of: lane)) }
            if orders.drain { endUnsent(lanes.removeWaiting()) }
            if orders.close { break }
            begin()
            carry()
            finish()
            publish()
            let isAtWork = idle.count < transfers.count
            unsafe sockets.serve(multi, atMost: rest(isAtWork, since: orders))
            finish()
            if isAtWork { cutSlowAnswers() }
            publish()
        }
        giveUp()
    }

    /// How long to wait for answers, in milliseconds; `nil` for as long as nothing comes.
    private func rest(_ isAtWork: Bool, since orders: CourierDesk.Orders) -> Int64? {
        if hasRoomForWork { return Forerunners.moment / 1000 }
        // Without a rest, curl is still shown what has become ready meanwhile.
        return desk.mayRest(since: orders) ? isAtWork ? lookEvery : nil : 0
    }

    private var hasRoomForWork: Bool {
        lanes.hasNext && transfers.count - idle.count + unsettled < configuration.concurrency
    }

    // Begin

    /// Starts as many as may run ahead of answers.
    private func begin() {
        let now = CurlSockets.microseconds()
        defer { forerunners.add(begun, at: now) }
        for _ in 0..<forerunners.room(at: now) {
            guard hasRoomForWork, let outgoing = lanes.next() else { return }
            guard outgoing.leaseEnds - configuration.timeout > clock.uptime() else {
                end(outgoing, .unsent)
                continue
            }
            do throws(Unsendable) {
                send(outgoing, try outgoing.endpoint.channel.request(for: outgoing, now: clock.now()))
            } catch {
                end(outgoing, .refused(.render), words: error.words)
            }
        }
    }

    private func send(_ outgoing: Outgoing, _ request: Request) {
        switch request.transport {
        case .page(let page): end(outgoing, .delivered, page: page)
        case .line:
            let isWritten = ConsoleLine.write(request.body, to: configuration.console)
            end(
                outgoing, isWritten ? .delivered : .failed(.other, after: nil),
                words: isWritten ? "" : ConsoleLine.fault)
        case .http, .smtp:
            guard let transfer = idle.popLast() ?? makeTransfer() else {
                return end(
                    outgoing, .failed(.other, after: nil), words: "libcurl has no memory for another transfer")
            }
            start(outgoing, request, on: transfer)
        }
    }

    private func makeTransfer() -> CurlTransfer? {
        guard let made = CurlTransfer(configuration, guard: addressGuard, sockets: sockets)
        else { return nil }
        transfers.append(made)
        return made
    }

    private func start(_ outgoing: Outgoing, _ request: Request, on transfer: CurlTransfer) {
        let code = transfer.load(request, under: outgoing.endpoint.wire)
        crash.reach(.beforeSend)
        guard code == CURLE_OK, unsafe curl_multi_add_handle(multi, transfer.easy) == CURLM_OK else {
            let failure = CurlFailure(
                code: code == CURLE_OK ? CURLE_FAILED_INIT : code, begun: false, blocked: transfer.wasBlocked,
                systemError: 0)
            idle.append(transfer)
            end(outgoing, failure.outcome, words: failure.words)
            return
        }
        (transfer.carried, transfer.begunAt, transfer.group) = (outgoing, CurlSockets.uptime(), forerunners.next)
        begun += 1
    }

    // Carry

    /// Runs what was just begun: curl gives a new transfer a timer that is already over.
    private func carry() {
        guard begun > 0 else { return }
        var running: Int32 = 0
        unsafe _ = curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
        for _ in 0..<begun { crash.reach(.onWire) }
        begun = 0
    }

    // End

    private func finish() {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard let easy = unsafe message.pointee.easy_handle else { continue }
            let code = unsafe carillon_msg_result(message)
            let transfer = unsafe CurlTransfer.of(easy)
            crash.reach(.afterAnswer)
            if let outgoing = transfer.carried { conclude(outgoing, transfer, code) }
            release(transfer)
        }
    }

    /// Ends tries whose answer keeps coming and does not end: whoever sends a byte a second would keep a place for the
    /// whole timeout.
    ///
    /// A receiver that is silent is thinking, and has the whole timeout for it.
    private func cutSlowAnswers() {
        let now = CurlSockets.uptime()
        guard now - looked >= lookEvery else { return }
        defer { looked = now }
        for transfer in transfers {
            guard let outgoing = transfer.carried, transfer.lookAtAnswer(since: looked) >= Self.looks else { continue }
            conclude(outgoing, transfer, CURLE_OPERATION_TIMEDOUT)
            release(transfer)
        }
        publish()
    }

    private func conclude(_ outgoing: Outgoing, _ transfer: CurlTransfer, _ code: CURLcode) {
        if let answer = transfer.answer(code, now: clock.now()) {
            let outcome = outgoing.endpoint.channel.outcome(of: answer)
            let words = outcome == .delivered ? "" : Words.of(answer.body, hidingSecretsOf: outgoing.endpoint)
            end(outgoing, outcome, status: answer.status, words: words)
        } else {
            let failure = CurlFailure(
                code: code, begun: transfer.hasBegun, blocked: transfer.wasBlocked, systemError: transfer.systemError)
            end(outgoing, failure.outcome, words: failure.words)
        }
    }

    private func release(_ transfer: CurlTransfer) {
        transfer.carried = nil
        forerunners.remove(from: transfer.group)
        unsafe _ = curl_multi_remove_handle(multi, transfer.easy)
        idle.append(transfer)
    }

    private func end(
        _ outgoing: Outgoing, _ outcome: Outcome, status: Int = 0, words: String = "", page: InboxPage? = nil
    ) {
        lanes.free(outgoing.lane)
        if outcome != .unsent { unsettled += 1 }
        endings.append(Ending(outgoing, outcome, status: status, words: words, page: page))
    }

    private func endUnsent(_ deliveries: [Outgoing]) {
        for delivery in deliveries { endings.append(Ending(delivery, .unsent)) }
    }

    private func publish() {
        guard !endings.isEmpty else { return }
        desk.publish(endings)
        endings.removeAll(keepingCapacity: true)
        onEnding()
    }

    // Close

    /// Ends what is still on the wire, by what the receiver may know of it, and frees everything.
    private func giveUp() {
        for transfer in transfers {
            guard let outgoing = transfer.carried else { continue }
            end(outgoing, transfer.hasBegun ? .ambiguous(.other) : .unsent, words: "the worker stopped")
            release(transfer)
        }
        endUnsent(desk.leave())
        publish()
        idle = []
        transfers = []
        sockets.hangUp()
        unsafe _ = curl_multi_cleanup(multi)
    }
}

/// libcurl as a whole.
enum CurlLibrary {
    private static let started: Void = { _ = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) }()

    /// Starts the library, once in the process's life.
    static func start() { started }
}
