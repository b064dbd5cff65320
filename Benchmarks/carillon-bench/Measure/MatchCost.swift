import CMallocCount
import CarillonEvents
import CarillonRules
import Glibc

/// What matching takes: CPU of the whole process, as in the other measurements.
struct MatchCost {
    let shape: MatchShape

    /// Compiles the shape's patterns, matches its events again and again, and tells what each took as one JSON line.
    func measure(rounds: Int) throws -> String {
        let memory = Self.resident()
        let compiling = Meter()
        let patterns = try CompiledPatterns(shape.patterns)
        let compiled = compiling.taken().cpuMicroseconds
        let bytes = Self.resident() - memory
        var scratch = MatchScratch()
        var hits: [Int] = []
        var matched = 0
        func round() {
            for event in shape.events {
                hits.removeAll(keepingCapacity: true)
                patterns.match(event.span, into: &hits, using: &scratch)
                matched += hits.count
            }
        }
        round()
        matched = 0
        var best = Double.infinity
        let asked = malloc_count()
        for _ in 0..<rounds {
            matched = 0
            let meter = Meter()
            round()
            best = min(best, meter.taken().cpuMicroseconds)
        }
        let allocations = malloc_count() - asked
        return """
            {"shape":"\(shape.name)","rules":\(shape.patterns.count),"events":\(shape.events.count),"event_bytes":\(shape.eventBytes),\
            "cpu_us_per_event":\(Self.rounded(best / Double(shape.events.count))),"matched":\(matched),\
            "allocations":\(allocations),\
            "compile_ms":\(Self.rounded(compiled / 1_000)),"bytes_per_rule":\(bytes / max(shape.patterns.count, 1))}
            """
    }

    /// Bytes of the process that are in memory; what compiling freed again is partly among them.
    static func resident() -> Int {
        let file = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var text = Array(repeating: UInt8(0), count: 128)
        let count = unsafe text.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        let pages = text.prefix(max(count, 0)).split(separator: UInt8(ascii: " ")).dropFirst().first
        return (pages.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func rounded(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }
}
