import CCurl
import CPlatform
import Glibc

/// Which sockets and timers curl waits for, by epoll.
///
/// curl's own poll looks at every transfer on the wire in every round, with a system call for each; epoll tells the
/// ready ones. What makes it pay is laziness: between two requests on a kept connection curl stops and starts to watch
/// its socket, and nothing is told to the kernel about it. An event nobody waits for is taken off when it comes.
///
/// A socket's number may return after its end, so laziness is for sockets whose opening and closing we see; any other
/// (the resolver's) is registered and removed at once.
@safe final class CurlSockets {
    private struct Socket {
        /// What curl waits for, and what the kernel was told; epoll's bits.
        var wanted: UInt32 = 0
        var told: UInt32 = 0
        /// Whether we opened it and will see it closed.
        var isOurs = false
        /// Whether curl only opened it: nobody but us reads and writes it.
        var isKept = false
        /// When something was last there to read.
        var lastRead: Int64 = 0
    }

    private let bell: Int32
    private let epoll: Int32
    private var sockets: [Socket] = []
    private var events = unsafe [epoll_event](repeating: epoll_event(), count: 256)
    /// When curl wants to be called, on the monotonic clock in milliseconds.
    private var deadline: Int64?

    init(bell: Int32) {
        self.bell = bell
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "the system has no file number left for the courier's epoll")
        tell(EPOLL_CTL_ADD, bell, EPOLLIN.rawValue)
    }

    deinit { _ = Glibc.close(epoll) }

    /// What curl's callbacks are given; valid as long as this object.
    var pointer: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

    /// The sockets a callback is about.
    static func at(_ pointer: UnsafeMutableRawPointer?) -> CurlSockets {
        guard let pointer = unsafe pointer else { preconditionFailure("curl lost the sockets it was given") }
        return unsafe Unmanaged<CurlSockets>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// Asks curl to say what it waits for.
    func attach(to multi: UnsafeMutableRawPointer) {
        unsafe _ = carillon_multi_on_socket(
            multi,
            { easy, socket, what, me, _ in
                unsafe CurlSockets.at(me).watch(socket, what)
                if let easy = unsafe easy, what != CURL_POLL_REMOVE { unsafe CurlTransfer.of(easy).socket = socket }
                return 0
            }, pointer)
        unsafe _ = carillon_multi_on_timer(
            multi,
            { _, milliseconds, me in
                let sockets = unsafe CurlSockets.at(me)
                sockets.deadline = milliseconds < 0 ? nil : CurlSockets.uptime() + Int64(milliseconds)
                return 0
            }, pointer)
    }

    /// Waits for a socket, a timer or the bell, and lets curl act on what came.
    ///
    /// - Parameters:
    ///   - longest: the longest wait, in milliseconds; `nil` for as long as nothing comes.
    ///   - act: acts on a socket that is kept from curl, by epoll's bits and the time.
    func serve(_ multi: UnsafeMutableRawPointer, atMost longest: Int64?, act: (Int32, UInt32, Int64) -> Void) {
        let count = unsafe epoll_wait(epoll, &events, Int32(events.count), patience(atMost: longest))
        var running: Int32 = 0
        let now = count > 0 ? Self.uptime() : 0
        for index in 0..<max(0, Int(count)) {
            let (socket, bits) = unsafe (events[index].data.fd, events[index].events)
            if socket == bell {
                var rings: eventfd_t = 0
                unsafe _ = eventfd_read(bell, &rings)
            } else if isKept(socket) {
                act(socket, bits, now)
            } else if isWanted(socket, bits) {
                if bits & EPOLLIN.rawValue != 0 { sockets[Int(socket)].lastRead = now }
                unsafe _ = curl_multi_socket_action(multi, socket, Self.action(bits), &running)
            }
        }
        if let due = deadline, due <= Self.uptime() {
            deadline = nil
            unsafe _ = curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
        }
    }

    /// When something was last there to read on a socket, on this class's clock; 0 for never.
    func lastRead(_ socket: Int32) -> Int64 {
        sockets.indices.contains(Int(socket)) ? sockets[Int(socket)].lastRead : 0
    }

    // Opening and closing

    /// Opens a socket for curl.
    func open(_ family: Int32, _ type: Int32, _ proto: Int32) -> curl_socket_t {
        let socket = Glibc.socket(family, type | Int32(SOCK_CLOEXEC.rawValue), proto)
        if socket >= 0 {
            makeRoom(for: socket)
            sockets[Int(socket)] = Socket(isOurs: true)
        }
        return socket
    }

    /// Closes a socket for curl; the kernel forgets what it was told about it.
    ///
    /// One that is kept stays open.
    func close(_ socket: curl_socket_t) -> Int32 {
        makeRoom(for: socket)
        guard !isKept(socket) else { return 0 }
        sockets[Int(socket)] = Socket()
        return Glibc.close(socket)
    }

    /// Keeps a socket from curl, which opened it and is about to forget it.
    func keep(_ socket: Int32) {
        makeRoom(for: socket)
        sockets[Int(socket)].isKept = true
        watch(socket, toSend: false)
    }

    /// Watches a kept socket for what comes, and for room to send.
    func watch(_ socket: Int32, toSend: Bool) {
        sockets[Int(socket)].wanted = EPOLLIN.rawValue | (toSend ? EPOLLOUT.rawValue : 0)
        tellWanted(socket)
    }

    /// Closes a kept socket.
    func close(kept socket: Int32) {
        sockets[Int(socket)] = Socket()
        _ = Glibc.close(socket)
    }

    private func isKept(_ socket: Int32) -> Bool {
        sockets.indices.contains(Int(socket)) && sockets[Int(socket)].isKept
    }

    /// Ends all connections before curl closes them, so that it waits for nobody's goodbye.
    func hangUp() {
        for (number, socket) in sockets.enumerated() where socket.isOurs {
            _ = shutdown(Int32(number), Int32(SHUT_RDWR))
        }
    }

    // Watching

    private func watch(_ socket: curl_socket_t, _ what: Int32) {
        makeRoom(for: socket)
        guard !isKept(socket) else { return }
        let wanted: UInt32 =
            switch what {
            case CURL_POLL_IN: EPOLLIN.rawValue
            case CURL_POLL_OUT: EPOLLOUT.rawValue
            case CURL_POLL_INOUT: EPOLLIN.rawValue | EPOLLOUT.rawValue
            default: 0
            }
        let index = Int(socket)
        sockets[index].wanted = wanted
        if !sockets[index].isOurs || wanted & ~sockets[index].told != 0 { tellWanted(socket) }
    }

    /// Whether curl waits for any of the bits; else the kernel is told to stop.
    private func isWanted(_ socket: Int32, _ bits: UInt32) -> Bool {
        guard sockets.indices.contains(Int(socket)) else { return false }
        let wanted = sockets[Int(socket)].wanted
        let trouble = EPOLLERR.rawValue | EPOLLHUP.rawValue
        if wanted != 0, bits & (wanted | trouble) != 0 { return true }
        tellWanted(socket)
        return false
    }

    private func tellWanted(_ socket: Int32) {
        let (wanted, told) = (sockets[Int(socket)].wanted, sockets[Int(socket)].told)
        guard wanted != told else { return }
        tell(wanted == 0 ? EPOLL_CTL_DEL : told == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, wanted)
        sockets[Int(socket)].told = wanted
    }

    private func tell(_ change: Int32, _ socket: Int32, _ bits: UInt32) {
        var event = unsafe epoll_event()
        unsafe event.events = bits
        unsafe event.data.fd = socket
        unsafe _ = epoll_ctl(epoll, change, socket, &event)
    }

    private func makeRoom(for socket: Int32) {
        while sockets.count <= Int(socket) { sockets.append(Socket()) }
    }

    private static func action(_ bits: UInt32) -> Int32 {
        var action: Int32 = 0
        if bits & EPOLLIN.rawValue != 0 { action |= CURL_CSELECT_IN }
        if bits & EPOLLOUT.rawValue != 0 { action |= CURL_CSELECT_OUT }
        if bits & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { action |= CURL_CSELECT_ERR | CURL_CSELECT_IN }
        return action
    }

    // Time

    /// How long epoll may wait.
    private func patience(atMost longest: Int64?) -> Int32 {
        guard let deadline else { return longest.map { Int32(clamping: $0) } ?? -1 }
        return Int32(clamping: max(0, min(deadline - Self.uptime(), longest ?? .max)))
    }

    /// curl's timers are real, so this clock is the system's and not the worker's.
    static func uptime() -> Int64 { microseconds() / 1000 }

    /// The same clock, finer.
    static func microseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
