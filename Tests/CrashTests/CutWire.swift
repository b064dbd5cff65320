import CarillonKit
import CarillonPlatform
import Glibc

// A network that can be cut, between programs on one machine. Whoever uses it reaches Kafka's brokers at another loopback
// address with the same ports, and PostgreSQL over TCP. Brokers tell clients where brokers are: their `127.0.0.1` becomes the
// other address on the way, which has as many letters, so that no length changes. While it is cut nothing passes, as when
// packets are dropped: connections stay, and what was on the way arrives when it heals.

/// One network between some workers and the two stores.
final class CutWire: Sendable {
    private static let home = "127.0.0.1"
    /// The address that clients use.
    let address: String
    /// What they are told of Kafka.
    let servers: String
    /// The port at which they find PostgreSQL.
    let postgresPort: UInt16
    private let isCut = Turnstile(false)
    private let listeners: [Int32]

    /// - Parameters:
    ///   - number: tells networks apart, 2 to 9.
    ///   - servers: Kafka's brokers, as `127.0.0.1:PORT,…`.
    ///   - socket: where PostgreSQL listens in the file system.
    init(number: Int, servers: String, socket path: String) throws {
        precondition((2...9).contains(number), "an address of another length")
        let address = "127.0.0.\(number)"
        self.address = address
        self.servers = servers.replacing(Self.home, with: address)
        let ports = servers.split(separator: ",").compactMap { UInt16($0.split(separator: ":").last ?? "") }
        var listeners: [Int32] = []
        for port in ports {
            let listener = try Self.listen(at: address, port: port).listener
            listeners.append(listener)
            Self.accept(listener, isCut, renaming: address) { Self.dial(port: port) }
        }
        let (listener, port) = try Self.listen(at: address, port: 0)
        listeners.append(listener)
        Self.accept(listener, isCut, renaming: nil) { Self.dial(path: path) }
        (self.listeners, postgresPort) = (listeners, port)
    }

    deinit {
        isCut.change { $0 = false }
        for listener in listeners { shutdown(listener, Int32(SHUT_RDWR)) }
    }

    func cut() { isCut.change { $0 = true } }
    func heal() { isCut.change { $0 = false } }

    // Connections

    private static func accept(
        _ listener: Int32, _ isCut: Turnstile<Bool>, renaming address: String?,
        _ dial: @escaping @Sendable () -> Int32
    ) {
        _ = OwnThread {
            while true {
                let near = Glibc.accept(listener, nil, nil)
                guard near >= 0 else {
                    close(listener)
                    return
                }
                _ = OwnThread {
                    isCut.wait { $0 ? nil : () }
                    join(near, dial(), isCut, renaming: address)
                }
            }
        }
    }

    /// Carries bytes both ways until the connection ends; `far` is negative when there is nobody.
    static func join(
        _ near: Int32, _ far: Int32, _ isCut: Turnstile<Bool> = Turnstile(false), renaming address: String? = nil
    ) {
        guard far >= 0 else {
            close(near)
            return
        }
        let back = OwnThread { carry(from: far, to: near, isCut, renaming: address) }
        carry(from: near, to: far, isCut, renaming: nil)
        try? back.join()
        close(near)
        close(far)
    }

    /// Carries bytes until one side ends; with an address, whole messages of Kafka's, in which it takes the place of ours.
    private static func carry(
        from source: Int32, to target: Int32, _ isCut: Turnstile<Bool>, renaming address: String?
    ) {
        var buffer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe recv(source, &piece, piece.count, 0)
            guard count > 0 else { break }
            buffer += piece[..<count]
            let ready = address == nil ? buffer.count : wholeMessages(in: buffer)
            guard ready > 0 else { continue }
            var message = Array(buffer[..<ready])
            buffer.removeFirst(ready)
            if let address { message.replace(Array(home.utf8), with: Array(address.utf8)) }
            isCut.wait { $0 ? nil : () }
            var sent = 0
            while sent < message.count {
                let written = unsafe message.withUnsafeBytes { bytes in
                    unsafe send(
                        target, bytes.baseAddress.map { unsafe $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
                guard written > 0 else { break }
                sent += written
            }
            guard sent == message.count else { break }
        }
        isCut.wait { $0 ? nil : () }
        shutdown(source, Int32(SHUT_RD))
        shutdown(target, Int32(SHUT_RDWR))
    }

    /// How many bytes are whole messages: each has its length before it.
    private static func wholeMessages(in buffer: [UInt8]) -> Int {
        var end = 0
        while buffer.count >= end + 4 {
            let size = buffer[end..<end + 4].reduce(0) { $0 << 8 | Int($1) }
            guard buffer.count >= end + 4 + size else { break }
            end += 4 + size
        }
        return end
    }

    // Sockets

    static func listen(at address: String, port: UInt16) throws -> (listener: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, 4)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        unsafe inet_aton(address, &place.sin_addr)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafeMutablePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                unsafe bind(listener, raw, size) == 0 ? getsockname(listener, raw, &size) : -1
            }
        }
        guard listener >= 0, code == 0, Glibc.listen(listener, 1024) == 0 else {
            throw PlatformError(errno, doing: "listen at \(address):\(port)")
        }
        return (listener, UInt16(bigEndian: place.sin_port))
    }

    private static func dial(port: UInt16) -> Int32 {
        let far = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        unsafe inet_aton(home, &place.sin_addr)
        return connected(far, &place)
    }

    static func dial(path: String) -> Int32 {
        let far = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &place.sun_path) { room in
            unsafe room.copyBytes(from: path.utf8.prefix(room.count - 1))
        }
        return connected(far, &place)
    }

    private static func connected<Place>(_ far: Int32, _ place: inout Place) -> Int32 {
        let code = unsafe withUnsafePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(far, $0, socklen_t(MemoryLayout<Place>.size))
            }
        }
        if code == 0 { return far }
        close(far)
        return -1
    }
}
