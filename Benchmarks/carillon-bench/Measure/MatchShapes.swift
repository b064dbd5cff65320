/// Rules and events of one shape, made from a seed.
struct MatchShape {
    let name: String
    let patterns: [String]
    /// JSON objects.
    let events: [[UInt8]]

    /// What one of the events has on average.
    var eventBytes: Int { events.reduce(0) { $0 + $1.count } / max(events.count, 1) }
}

/// Events of jobs, and rules of many tenants that ask for nearly the same.
enum JobShape {
    /// - Parameters:
    ///   - rules: how many; each is another workspace's.
    ///   - shared: whether a tenth of them also asks for the beginning of the name, and a tenth for a number of attempts:
    ///     the same of all tenants.
    static func make(rules: Int, shared: Bool, events: Int) -> MatchShape {
        let patterns = (0..<rules).map { number in
            let more =
                switch number % 10 {
                case 3 where shared: #","data":{"name":[{"prefix":"train-"}]}"#
                case 7 where shared: #","data":{"attempt":[{"numeric":[">",3]}]}"#
                default: ""
                }
            return #"{"workspace":["ws-\#(number)"],"type":["job.failed","job.timeout"]\#(more)}"#
        }
        var random = SplitMix(seed: 1)
        return MatchShape(
            name: shared ? "job, shared conditions" : "job", patterns: patterns,
            events: (0..<events).map { _ in event(&random, workspaces: rules) })
    }

    private static let types = ["job.queued", "job.preparing", "job.running", "job.succeeded", "job.retried"]

    private static func event(_ random: inout SplitMix, workspaces: Int) -> [UInt8] {
        let isOver = random.chance(0.049)
        let type = isOver ? "job.failed" : types[random.below(types.count)]
        let workspace = random.below(workspaces)
        let id = String(random.within(0x1000_0000...0xffff_ffff), radix: 16)
        let attempt = random.within(1...5)
        let name = random.below(2) == 0 ? "train-resnet-\(id)" : "eval-bert-\(id)"
        let text = """
            {"specversion":"1.0","id":"dlc-\(id)/\(attempt)/\(type)","source":"/schedulers/volcano-a","type":"\(type)",\
            "subject":"dlc-\(id)","time":"2026-01-05T08:00:00.250Z","workspace":"ws-\(workspace)",\
            "datacontenttype":"application/json","data":{"kind":"dlc","name":"\(name)","owner":"alice",\
            "attempt":\(attempt),"maxAttempts":5,"final":\(attempt == 5),"queue":"a100","pool":"a100-east","priority":5,\
            "node":"gpu-\(attempt)17","reason":"OOMKilled","exitCode":137,\
            "url":"https://console.example.com/jobs/dlc-\(id)","labels":{"team":"vision","stage":"prod"},\
            "results":{"drift":0.25}}}
            """
        return Array(text.utf8)
    }
}

/// Events of the shape of San Francisco's city lots, and five rules for each operator.
enum CityShape {
    static func all(events count: Int) -> [MatchShape] {
        var random = SplitMix(seed: 2)
        let events = (0..<count).map { _ in event(&random) }
        return rules.map { MatchShape(name: $0.name, patterns: $0.patterns, events: events) }
    }

    private static func field(_ name: String, _ tests: [String]) -> [String] {
        tests.map { #"{"properties":{"\#(name)":[\#($0)]}}"# }
    }

    private static func geometry(_ place: String) -> [String] {
        [
            #""type":["Polygon"],"\#(place)":{"x":[{"numeric":["=",-122.42916360922355]}]}"#,
            #""type":["MultiPolygon"],"\#(place)":{"y":[{"numeric":["=",37.729900216217324]}]}"#,
            #""\#(place)":{"x":[{"numeric":["<",-122.41600944012424]}]}"#,
            #""\#(place)":{"x":[{"numeric":[">",-122.41600944012424]}]}"#,
            #""\#(place)":{"x":[{"numeric":[">",-122.46471267081272,"<",-122.4063085128395]}]}"#,
        ].map { #"{"geometry":{\#($0)}}"# }
    }

    private static let rules: [(name: String, patterns: [String])] = [
        ("exact", field("MAPBLKLOT", [#""1430022""#, #""2607117""#, #""2607218""#, #""3745012""#, #""VACSTWIL""#])),
        ("prefix", field("STREET", ["AC", "BL", "DR", "FU", "RH"].map { #"{"prefix":"\#($0)"}"# })),
        ("suffix", field("STREET", ["ON", "KE", "MM", "ING", "GO"].map { #"{"suffix":"\#($0)"}"# })),
        (
            "ignore-case",
            field("STREET", ["jefferson", "bEaCh", "HyDe", "CHESTNUT"].map { #"{"equals-ignore-case":"\#($0)"}"# })
                + field("ST_TYPE", [#"{"equals-ignore-case":"st"}"#])
        ),
        (
            "wildcard",
            field("MAPBLKLOT", ["143*", "2*0*1*7", "*218", "3*5*2", "VA*IL"].map { #"{"wildcard":"\#($0)"}"# })
        ),
        (
            "anything-but",
            field("STREET", ["FULTON", "MASON", "JACKSON"].map { #"{"anything-but":["\#($0)"]}"# })
                + [
                    #"{"geometry":{"type":[{"anything-but":["Polygon"]}]}}"#,
                    #"{"properties":{"FROM_ST":[{"anything-but":["441"]}]}}"#,
                ]
        ),
        ("numeric", geometry("firstCoordinates")), ("complex arrays", geometry("coordinates")),
    ]

    private static let streets = [
        "JEFFERSON", "BEACH", "HYDE", "CHESTNUT", "FULTON", "MASON", "JACKSON", "BLAKE", "ACTON", "DRUMM", "UNKNOWN",
        "MISSION", "FRANCISCO", "VALLEJO", "SUTTER", "GEARY", "TURK", "RHINE", "HARDING", "DIEGO",
    ]

    /// Lots the exact rules ask for: at random they would never come up.
    private static let asked = [("1430", "022"), ("2607", "117"), ("2607", "218"), ("3745", "012")]

    private static func lot(_ random: inout SplitMix) -> (block: String, part: String) {
        let block = random.within(1...9999)
        let part = random.within(1...150)
        return (
            String(repeating: "0", count: 4 - "\(block)".count) + "\(block)",
            String(repeating: "0", count: 3 - "\(part)".count) + "\(part)"
        )
    }

    private static func event(_ random: inout SplitMix) -> [UInt8] {
        let (number, part) = random.chance(0.02) ? asked[random.below(asked.count)] : lot(&random)
        let street = streets[random.below(streets.count)]
        let from = random.within(1...4000)
        func point() -> String {
            let x = -122.51 + 0.14 * Double(random.next() >> 11) * 0x1p-53
            let y = 37.70 + 0.12 * Double(random.next() >> 11) * 0x1p-53
            return #"{"x":\#(x),"y":\#(y),"z":0.0}"#
        }
        let first = point()
        let points = ([first] + (0..<random.within(5...12)).map { _ in point() } + [first])
        let text = """
            {"type":"Feature","properties":{"MAPBLKLOT":"\(number)\(part)","BLKLOT":"\(number)\(part)",\
            "BLOCK_NUM":"\(number)","LOT_NUM":"\(part)","FROM_ST":"\(from)","TO_ST":"\(from + 2)","STREET":"\(street)",\
            "ST_TYPE":"ST","ODD_EVEN":"E"},"geometry":{"type":"Polygon","coordinates":[\(points.joined(separator: ","))],\
            "firstCoordinates":\(first)}}
            """
        return Array(text.utf8)
    }
}
