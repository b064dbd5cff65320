import CarillonEvents
import Foundation

/// What a receiver got, from the lines of `carillon sink`.
struct Receipts {
    /// One line of the sink.
    private struct Line: Decodable {
        let time, id, signature, sha256: String
        let status: Int
    }

    /// When each delivery was accepted first, and whether that was its first try.
    private(set) var accepted: [String: (at: Timestamp, isFirstTry: Bool)] = [:]
    /// Deliveries accepted more than once.
    private(set) var copies = 0
    /// Tries whose body differs from the first of the same delivery.
    private(set) var altered = 0
    /// Requests without a good signature.
    private(set) var unsigned = 0

    /// Deliveries that needed more than one try.
    var retried: Int { accepted.values.count { !$0.isFirstTry } }

    init(fileAt path: String) throws {
        var bodies: [String: String] = [:]
        for bytes in try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n")) {
            let line = try JSONDecoder().decode(Line.self, from: bytes)
            let isFirstTry = bodies[line.id] == nil
            if line.signature != "ok" { unsigned += 1 }
            if bodies[line.id, default: line.sha256] != line.sha256 { altered += 1 }
            bodies[line.id] = line.sha256
            guard (200..<300).contains(line.status), let at = Timestamp(rfc3339: line.time) else { continue }
            if accepted[line.id] == nil { accepted[line.id] = (at, isFirstTry) } else { copies += 1 }
        }
    }

    /// Milliseconds from the events' times to the receipt.
    func latencies(since times: [String: Timestamp], firstTriesOnly: Bool = false) -> (p50: Int64, p99: Int64) {
        let sorted = accepted.compactMap { id, receipt in
            firstTriesOnly && !receipt.isFirstTry ? nil : times[id].map { (receipt.at - $0).milliseconds }
        }.sorted()
        guard !sorted.isEmpty else { return (0, 0) }
        return (sorted[sorted.count / 2], sorted[sorted.count * 99 / 100])
    }
}
