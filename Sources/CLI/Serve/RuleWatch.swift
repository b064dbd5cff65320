import CarillonRules
import Dispatch
import Foundation
import Glibc
import Logging
import ServiceLifecycle
import Synchronization

/// Keeps the rules as a folder has them: the same as `rules apply --prune` whenever the folder changes.
///
/// Looks every two seconds at names, sizes and times of change; reads only when they differ. Documents with a problem
/// change nothing: the last good rules stay in force and the problem is logged.
final class RuleWatch: Service {
    private static let pause = Duration.seconds(2)

    private let configuration: Configuration
    private let folder: String
    private let logger: Logger
    private let seen = Mutex<String?>(nil)
    private let applied = Mutex(true)

    init(configuration: Configuration, folder: String, logger: Logger) {
        (self.configuration, self.folder, self.logger) = (configuration, folder, logger)
    }

    /// Whether the rules in force are what the folder held when it was last read.
    var isInForce: Bool { applied.withLock { $0 } }

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.pause)
                try await offPool { self.applyIfChanged() }
            }
        }
    }

    /// Applies what the folder holds unless that was done already; blocks.
    func applyIfChanged() {
        let found = fingerprint()
        guard seen.withLock({ $0 != found }) else { return }
        do {
            try apply()
            seen.withLock { $0 = found }
        } catch let failure as Failure {
            seen.withLock { $0 = found }
            for line in failure.lines { logger.error("the last good rules stay in force: \(line)") }
        } catch {
            logger.error("rules could not be applied, trying again: \(error)")
        }
    }

    /// Applies what the folder holds.
    ///
    /// - Throws: `Failure` when the documents are at fault.
    func apply() throws {
        do {
            try applyFolder()
            applied.withLock { $0 = true }
        } catch {
            applied.withLock { $0 = false }
            // The documents are not at fault: the next look tries again.
            if !(error is Failure) { seen.withLock { $0 = nil } }
            throw error
        }
    }

    private func applyFolder() throws {
        let files = try RuleFiles([folder])
        let loaded = files.load(limits: configuration.ruleLimits)
        let faults = loaded.problems.filter { !$0.isWarning }
        guard faults.isEmpty else { throw Failure(faults.map(\.description).joined(separator: "; ")) }
        let desk = try configuration.desk()
        let result = try RuleApplication(files: files, prunes: true).apply(loaded.workspaces, to: desk)
        guard result.isChange else { return }
        for (workspace, lines) in result.differences {
            logger.notice(
                "rules changed", metadata: ["workspace": "\(workspace)", "lines": "\(lines.joined(separator: "; "))"])
        }
        logger.notice(
            "rules are in force", metadata: ["revision": "\(result.revision)", "expired": "\(result.expired)"])
    }

    private func fingerprint() -> String {
        let names = (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).sorted()
        return names.map { name in
            guard let facts = try? FileManager.default.attributesOfItem(atPath: folder + "/" + name) else {
                return name
            }
            let changed = (facts[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(name):\(facts[.size] ?? 0):\(changed):\(facts[.systemFileNumber] ?? 0)"
        }.joined(separator: "\n")
    }
}

/// Runs what blocks outside of the pool that all asynchronous work shares.
func offPool<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Swift.Result { try work() }) }
    }
}
