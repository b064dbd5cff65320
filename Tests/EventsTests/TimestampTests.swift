import CarillonEvents
import CarillonKit
import Testing

@Suite("Moments are read and written as RFC 3339 has them", .timeLimit(.minutes(1)))
struct TimestampTests {
    static let read: [(String, Int64)] = [
        ("1970-01-01T00:00:00Z", 0), ("2026-01-05T08:00:00.250Z", 1_767_600_000_250),
        ("2026-01-05t08:00:00z", 1_767_600_000_000),
        ("2026-01-05T09:00:00+01:00", 1_767_600_000_000), ("2026-01-05T03:30:00-04:30", 1_767_600_000_000),
        ("2026-01-05T08:00:00-00:00", 1_767_600_000_000), ("2026-01-05T08:00:00.2Z", 1_767_600_000_200),
        ("2026-01-05T08:00:00.2509999999999999999999Z", 1_767_600_000_250),
        ("2026-01-05T08:00:00.000999+00:00", 1_767_600_000_000),
        ("1969-12-31T23:59:59.999Z", -1), ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("1900-03-01T00:00:00Z", -2_203_891_200_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999), ("2016-12-31T23:59:60.5Z", 1_483_228_799_999),
        ("1990-12-31T15:59:60-08:00", 662_687_999_999), ("2024-12-31T23:59:59+23:59", 1_735_603_259_000),
    ]

    @Test("what RFC 3339 allows is read", arguments: read)
    func reads(text: String, milliseconds: Int64) {
        #expect(Timestamp(rfc3339: text) == Timestamp(milliseconds: milliseconds))
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "2026", "2026-01-05", "08:00:00Z", "2026-01-05T08:00:00", "2026-01-05 08:00:00Z", "2026-01-05T08:00Z",
            "2026-1-5T08:00:00Z", "2026-01-05T8:00:00.0Z", "2026-13-05T08:00:00Z", "2026-00-05T08:00:00Z",
            "2026-01-00T08:00:00Z",
            "2026-01-32T08:00:00Z", "2026-02-29T08:00:00Z", "1900-02-29T08:00:00Z", "2026-04-31T08:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T08:60:00Z", "2026-01-05T08:00:61Z", "2026-01-05T08:00:00.Z", "2026-01-05T08:00:00,5Z",
            "2026-01-05T08:00:00+0100", "2026-01-05T08:00:00+01", "2026-01-05T08:00:00+24:00",
            "2026-01-05T08:00:00+01:60",
            "2026-01-05T08:00:00ZZ", "2026-01-05T08:00:00Z ", " 2026-01-05T08:00:00Z", "2026-01-05T08:00:00.5",
            "+026-01-05T08:00:00Z",
            "2026-W02-1T08:00:00Z", "20260105T080000Z", "1767600000", "2026-01-05T08:00:00.5.5Z",
            "２０２６-01-05T08:00:00Z",
            "2026-01-05T08:00:00+", "2026-01-05T08:00:00-1:00Z", "yesterday at midnight", "2026/01/05T08:00:00Z",
        ])
    func refuses(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test(
        "a moment is written in UTC with milliseconds",
        arguments: [
            (Int64(0), "1970-01-01T00:00:00.000Z"), (1_767_600_000_250, "2026-01-05T08:00:00.250Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_005, "2000-02-29T00:00:00.005Z"), (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (Int64.min, "0000-01-01T00:00:00.000Z"), (Int64.max, "9999-12-31T23:59:59.999Z"),
        ])
    func writes(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).rfc3339 == text)
    }

    @Test("a moment that is written reads back as itself", arguments: UInt64(1)...500)
    func roundTrip(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let moment = Timestamp(
            milliseconds: Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &random))
        #expect(Timestamp(rfc3339: moment.rfc3339) == moment, "seed \(seed), \(moment.rfc3339)")
    }

    @Test("a text cut or changed at any byte never traps")
    func mutated() {
        let text = Array("2026-01-05T08:00:00.250+01:00".utf8)
        for place in text.indices {
            let cut = Array(text[..<place])
            _ = Timestamp(rfc3339: cut.span)
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[place] = byte
                _ = Timestamp(rfc3339: changed.span)
            }
        }
    }
}
