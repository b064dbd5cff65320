import CCurl
import CarillonEvents
import CarillonLedger

/// The courier's thread: what it owns and what it does, round after round.
///
/// What goes over plain HTTP is `PlainHTTP`'s once libcurl has opened a connection for it; all else is libcurl's.
@safe final class CurlLoop {
    private let desk: CourierDesk
    private let multi: UnsafeMutableRawPointer
    private let configuration: CurlCourier.Configuration
    private let addressGuard: AddressGuard
    private let sockets: CurlSockets
    private let plain: PlainHTTP
    private let clock: any Clock
    private let onEnding: @Sendable () -> Void
    private let crash: CrashPoints

    private var lanes: Lanes
    private var forerunners = Forerunners()
    /// All handles ever needed at a time, and those without work; the last used first, while its memory is warm.
    private var transfers: [CurlTransfer] = []
    private var idle: [CurlTransfer] = []
    private var endings: [Ending] = []
    /// Whether curl was given something since it last ran, and how much of that it is to send.
    private var (curlHasNews, sentByCurl) = (false, 0)
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
        plain = PlainHTTP(configuration, sockets: sockets)
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
            let isAtWork = onWire > 0
            unsafe sockets.serve(multi, atMost: rest(isAtWork, since: orders)) { [plain] socket, bits, now in
                plain.act(on: socket, bits, now: now)
            }
            plain.endLate()
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
        guard desk.mayRest(since: orders) else { return 0 }
        return isAtWork ? min(lookEvery, plain.patience ?? lookEvery) : nil
    }

    private var hasRoomForWork: Bool {
        lanes.hasNext && onWire + unsettled < configuration.concurrency
    }

    private var onWire: Int { transfers.count - idle.count + plain.inUse }

    // Begin

    /// Starts as many as may run ahead of answers.
    private func begin() {
        let now = CurlSockets.microseconds()
        var begun = 0
        defer { forerunners.add(begun, at: now) }
        for _ in 0..<forerunners.room(at: now) {
            guard hasRoomForWork, let outgoing = lanes.next() else { return }
            guard outgoing.leaseEnds - configuration.timeout > clock.uptime() else {
                end(outgoing, .unsent)
                continue
            }
            do throws(Unsendable) {
                let request = try outgoing.endpoint.channel.request(for: outgoing, now: clock.now())
                if send(outgoing, request) { begun += 1 }
            } catch {
                end(outgoing, .refused(.render), words: error.words)
            }
        }
    }

    /// Sends a request, or ends its delivery at once; whether it is on its way.
    private func send(_ outgoing: Outgoing, _ request: Request) -> Bool {
        switch request.transport {
        case .page(let page): end(outgoing, .delivered, page: page)
        case .line:
            let isWritten = ConsoleLine.write(request.body, to: configuration.console)
            end(
                outgoing, isWritten ? .delivered : .failed(.other, after: nil),
                words: isWritten ? "" : ConsoleLine.fault)
        case .http, .smtp:
            let carried = Carried(
                outgoing: outgoing, begunAt: CurlSockets.uptime(), group: forerunners.next,
                plain: plain.take(request, under: outgoing.endpoint.wire))
            crash.reach(.beforeSend)
            guard plain.send(carried) else { return start(carried, request) }
            crash.reach(.onWire)
            return true
        }
        return false
    }

    /// In milliseconds; what is sent once more has no more time than it had.
    private func timeLeft(for carried: Carried) -> Int64 {
        let timeout = configuration.timeout.milliseconds
        return carried.isRepeated ? max(1, carried.begunAt + timeout - CurlSockets.uptime()) : timeout
    }

    private func makeTransfer() -> CurlTransfer? {
        guard let made = CurlTransfer(configuration, guard: addressGuard, sockets: sockets)
        else { return nil }
        transfers.append(made)
        return made
    }

    /// Has libcurl send a request, or open the connection that it travels over.
    private func start(_ carried: Carried, _ request: Request) -> Bool {
        guard let transfer = idle.popLast() ?? makeTransfer() else {
            end(carried.outgoing, .failed(.other, after: nil), words: "libcurl has no memory for another transfer")
            return false
        }
        let terms = carried.outgoing.endpoint.wire
        let code = transfer.load(
            request, under: terms, opensOnly: carried.plain != nil, within: timeLeft(for: carried))
        guard code == CURLE_OK, unsafe curl_multi_add_handle(multi, transfer.easy) == CURLM_OK else {
            let failure = CurlFailure(
                code: code == CURLE_OK ? CURLE_FAILED_INIT : code, begun: false, blocked: transfer.wasBlocked,
                systemError: 0)
            idle.append(transfer)
            conclude(carried, failure)
            return false
        }
        transfer.carried = carried
        curlHasNews = true
        if carried.plain == nil { sentByCurl += 1 }
        return true
    }

    // Carry

    /// Runs what was just begun: curl gives a new transfer a timer that is already over.
    private func carry() {
        guard curlHasNews else { return }
        var running: Int32 = 0
        unsafe _ = curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
        for _ in 0..<sentByCurl { crash.reach(.onWire) }
        (curlHasNews, sentByCurl) = (false, 0)
    }

    // End

    private func finish() {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard let easy = unsafe message.pointee.easy_handle else { continue }
            let code = unsafe carillon_msg_result(message)
            let transfer = unsafe CurlTransfer.of(easy)
            if code == CURLE_OK, let carried = transfer.carried, carried.plain != nil,
                let socket = transfer.openedSocket
            {
                sockets.keep(socket)
                free(transfer)
                plain.send(carried, over: socket)
                crash.reach(.onWire)
                continue
            }
            crash.reach(.afterAnswer)
            if let carried = transfer.carried { conclude(carried, transfer, code) }
            release(transfer)
        }
        for (carried, end) in plain.takeEnds() { finish(carried, end) }
    }

    /// Ends a request of plain HTTP, or sends it again as libcurl does: once, and byte for byte the same.
    private func finish(_ carried: Carried, _ ending: PlainHTTP.End) {
        switch ending {
        case .answered(let status, let notes):
            crash.reach(.afterAnswer)
            conclude(carried.outgoing, notes.answer(status: status, now: clock.now()))
        case .failed(let code, let begun):
            crash.reach(.afterAnswer)
            conclude(carried, CurlFailure(code: code, begun: begun, blocked: false, systemError: 0))
        case .connectionWasDead:
            guard let plain = carried.plain else { return }
            var again = carried
            again.isRepeated = true
            if start(again, plain.request) { return }
        }
        forerunners.remove(from: carried.group)
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
            guard let carried = transfer.carried, transfer.lookAtAnswer(since: looked) >= Self.looks else { continue }
            conclude(carried, transfer, CURLE_OPERATION_TIMEDOUT)
            release(transfer)
        }
        plain.cutSlowAnswers(since: looked, looks: Self.looks)
        finish()
    }

    private func conclude(_ carried: Carried, _ transfer: CurlTransfer, _ code: CURLcode) {
        if let answer = transfer.answer(code, now: clock.now()) { return conclude(carried.outgoing, answer) }
        // Opened, and gone before it could be used.
        let code = code == CURLE_OK ? CURLE_COULDNT_CONNECT : code
        let failure = CurlFailure(
            code: code, begun: transfer.hasBegun, blocked: transfer.wasBlocked, systemError: transfer.systemError)
        conclude(carried, failure)
    }

    private func conclude(_ carried: Carried, _ failure: CurlFailure) {
        var failure = failure
        if carried.isRepeated { failure.begun = true }
        end(carried.outgoing, failure.outcome, words: failure.words)
    }

    private func conclude(_ outgoing: Outgoing, _ answer: Response) {
        let outcome = outgoing.endpoint.channel.outcome(of: answer)
        let words = outcome == .delivered ? "" : Words.of(answer.body, hidingSecretsOf: outgoing.endpoint)
        end(outgoing, outcome, status: answer.status, words: words)
    }

    private func release(_ transfer: CurlTransfer) {
        if let carried = transfer.carried { forerunners.remove(from: carried.group) }
        free(transfer)
    }

    private func free(_ transfer: CurlTransfer) {
        transfer.carried = nil
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
            guard let carried = transfer.carried else { continue }
            giveUp(carried, begun: transfer.hasBegun)
            release(transfer)
        }
        for (carried, begun) in plain.giveUp() { giveUp(carried, begun: begun) }
        endUnsent(desk.leave())
        publish()
        idle = []
        transfers = []
        sockets.hangUp()
        unsafe _ = curl_multi_cleanup(multi)
    }

    private func giveUp(_ carried: Carried, begun: Bool) {
        let isInDoubt = begun || carried.isRepeated
        end(carried.outgoing, isInDoubt ? .ambiguous(.other) : .unsent, words: "the worker stopped")
    }
}

/// libcurl as a whole.
enum CurlLibrary {
    private static let started: Void = { _ = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) }()

    /// Starts the library, once in the process's life.
    static func start() { started }
}
