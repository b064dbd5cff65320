import CarillonServer
import Logging
import Synchronization

/// Reads the configuration again and takes what can change while running; says in the log what came of it.
final class Reloading: Sendable {
    private static let taken: Set<String> = ["logging.level", "logging.format", "http.tokens_file"]

    private let configuration: Configuration
    private let reread: @Sendable () throws -> Configuration
    private let watch: RuleWatch?
    private let door: EventDoor?
    private let logger: Logger
    private let isRead = Mutex(true)

    init(
        configuration: Configuration, reread: @escaping @Sendable () throws -> Configuration, watch: RuleWatch?,
        door: EventDoor?, logger: Logger
    ) {
        (self.configuration, self.reread, self.watch, self.logger) = (configuration, reread, watch, logger)
        self.door = door
    }

    /// Whether the configuration was good when it was last read, and the watched rules are what their folder says.
    var isFine: Bool { isRead.withLock { $0 } && watch?.isInForce ?? true }

    /// Reloads; blocks.
    ///
    /// - Throws: what is wrong, in words; everything stays as it was then.
    func run() throws -> Server.Reload {
        do {
            let reload = try reload()
            logger.notice(
                "configuration reloaded", metadata: ["taken": "\(reload.taken)", "restart": "\(reload.needsRestart)"])
            return reload
        } catch {
            logger.error("reload refused, the last good configuration stays: \(error)")
            throw error
        }
    }

    private func reload() throws -> Server.Reload {
        let (fresh, access) = try readAgain()
        do { try watch?.apply() } catch let failure as Failure {
            throw ReloadError(description: failure.lines.joined(separator: "; "))
        }
        Log.set(fresh.logging)
        door?.admit(access)
        let changed = fresh.values.differences(from: configuration.values)
        return Server.Reload(
            taken: Self.taken.sorted() + (watch == nil ? [] : ["rules"]),
            needsRestart: changed.filter { !Self.taken.contains($0) })
    }

    private func readAgain() throws -> (Configuration, Access) {
        do {
            let fresh = try reread()
            // The address in use is the one this process began with.
            let access = try fresh.access(listening: configuration.http.host)
            isRead.withLock { $0 = true }
            return (fresh, access)
        } catch {
            isRead.withLock { $0 = false }
            guard let error = error as? ConfigurationError else { throw error }
            throw ReloadError(description: error.problems.joined(separator: "; "))
        }
    }
}

private struct ReloadError: Error, CustomStringConvertible { let description: String }
