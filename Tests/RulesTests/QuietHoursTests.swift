import CarillonEvents
import CarillonKit
import Foundation
import Testing

@testable import CarillonRules

@Suite("Quiet hours: they end when the wall says so, whatever the clocks do", .timeLimit(.minutes(5)))
struct QuietHoursTests {
    private static func rows(_ name: String) throws -> [[String]] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            line.split(separator: "\t").map(String.init)
        }
    }

    private static func hours(_ text: String, in name: String) throws -> QuietHours {
        let (from, to) = try #require(QuietHours.minutes(text))
        return QuietHours(from: from, to: to, zone: try #require(Zone.named(name)))
    }

    @Test("they end when Python's zoneinfo says, in zones with every kind of summer")
    func golden() throws {
        let rows = try Self.rows("quiet.tsv")
        #expect(rows.count > 1500)
        for row in rows {
            let hours = try Self.hours(row[1], in: row[0])
            let moment = Timestamp(milliseconds: try #require(Int64(row[2])) * 1000 + 999)
            let end = hours.end(at: moment).map { "\($0.milliseconds / 1000)" } ?? "-"
            #expect(end == row[3], "\(row)")
        }
    }

    @Test("the rule that a zone's file ends with is read as Python reads it")
    func posix() throws {
        for row in try Self.rows("posix.tsv") {
            let rule = try #require(PosixZone(row[0]), "\(row[0])")
            let moment = try #require(Int64(row[1]))
            let (offset, until) = rule.offset(at: moment)
            #expect("\(offset)" == row[2], "\(row)")
            guard until < .max else { continue }
            #expect(
                until > moment && rule.offset(at: until - 1).offset == offset && rule.offset(at: until).offset != offset
            )
        }
    }

    @Test("days are counted from 0, or from 1 without 29 February")
    func countedDays() throws {
        let (ordinal, julian) = (
            try #require(PosixZone("AAA3BBB,60,300/3:30:15")), try #require(PosixZone("AAA3BBB,J60,J300"))
        )
        for (rule, begins) in [
            (ordinal, [1_677_733_200, 1_709_269_200]), (julian, [1_677_646_800, 1_709_269_200]),
        ] as [(PosixZone, [Int64])] {
            for moment in begins {
                #expect(rule.offset(at: moment - 1) == (-10_800, moment) && rule.offset(at: moment).offset == -7200)
            }
        }
        #expect(ordinal.offset(at: 1_709_269_200).until == 1_730_007_015)
    }

    @Test("summer that never ends is summer all the time")
    func permanentSummer() throws {
        let rule = try #require(PosixZone("XXX3EDT4,0/0,J365/23"))
        for second in stride(from: Int64(1_700_000_000), to: 1_800_000_000, by: 86_399) {
            #expect(rule.offset(at: second).offset == -4 * 3600)
        }
    }

    @Test(
        "what is no rule is none",
        arguments: [
            "", "C", "CET", "CET-", "CET-25", "CET-1CEST", "CET-1CEST,", "CET-1CEST,M3.5.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.5.0,M10.5.0x", "<CET-1", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,J0,J5", "CET-1:60",
        ])
    func noRule(text: String) { #expect(PosixZone(text) == nil) }

    @Test("from any moment on it stays quiet up to the end and is not quiet there", arguments: UInt64(1)...40)
    func property(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let names = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Shanghai"]
        let zone = try #require(Zone.named(names[Int(seed) % names.count]))
        for _ in 0..<20 {
            let (from, to) = (Int.random(in: 0..<1440, using: &random), Int.random(in: 0..<1440, using: &random))
            guard from != to else { continue }
            let hours = QuietHours(from: from, to: to, zone: zone)
            let start = Int64.random(in: -2_000_000_000...4_000_000_000, using: &random)
            guard let end = hours.end(at: Timestamp(milliseconds: start * 1000)) else { continue }
            #expect(hours.end(at: end) == nil, "seed \(seed)")
            #expect(hours.end(at: Timestamp(milliseconds: end.milliseconds - 1)) == end, "seed \(seed)")
            let between = Int64.random(in: start...(end.milliseconds / 1000 - 1), using: &random)
            #expect(hours.end(at: Timestamp(milliseconds: between * 1000)) == end, "seed \(seed)")
        }
    }

    @Test("a file that is damaged is no zone, and does not fell the reader", arguments: UInt64(1)...200)
    func damaged(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: Zone.folder + "Europe/Berlin")))
        #expect(Zone(name: "x", file: bytes) != nil)
        if seed % 2 == 0 {
            bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            #expect(Zone(name: "x", file: bytes)?.offset(at: 1_700_000_000) == nil)
        } else {
            for _ in 0..<8 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = Zone(name: "x", file: bytes).map {
                QuietHours(from: 1, to: 0, zone: $0).end(at: Timestamp(milliseconds: 0))
            }
        }
    }
}
