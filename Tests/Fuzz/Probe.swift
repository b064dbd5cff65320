import CarillonEvents

// What is fuzzed. A probe takes any bytes at all, hands them to one part of Carillon as a user's file or a tenant's event
// would, and then holds the part to what it promises: a `precondition` that fails is a find like any crash. A probe knows
// no clock, no random numbers and no order of inputs, so that one file is enough to see a find again.

/// A part of Carillon that reads what others wrote.
struct Probe: Sendable {
    let name: String
    /// Takes one input; returns when nothing was found.
    let run: @Sendable (Span<UInt8>) -> Void

    static let all = [
        Probe(name: "json", run: probeJSON), Probe(name: "event", run: probeEvent),
        Probe(name: "pattern", run: probePattern), Probe(name: "document", run: probeDocument),
        Probe(name: "template", run: probeTemplate), Probe(name: "answer", run: probeAnswer),
    ]

    static func named(_ name: String) -> Probe? { all.first { $0.name == name } }
}

/// The line that stands between the parts of an input with two parts.
private let rule = Array("\n----\n".utf8)

/// An input's part before the first line `----`, and what is behind it; all and nothing when there is no such line.
func parts(of input: Span<UInt8>) -> (first: [UInt8], rest: [UInt8]) {
    let bytes = Array(copying: input)
    guard bytes.count >= rule.count else { return (bytes, []) }
    for start in 0...(bytes.count - rule.count) where bytes[start] == rule[0] {
        if bytes[start..<(start + rule.count)].elementsEqual(rule) {
            return (Array(bytes[..<start]), Array(bytes[(start + rule.count)...]))
        }
    }
    return (bytes, [])
}

extension Array {
    init(copying span: Span<Element>) {
        self = []
        reserveCapacity(span.count)
        for place in span.indices { append(span[place]) }
    }
}

/// Events that every rule, pattern and template meets, whatever the input brings.
let sampleEvents: [[UInt8]] = [
    #"""
    {"specversion":"1.0","id":"dlc-7f3a/2/failed","source":"/schedulers/volcano-a","type":"job.failed","subject":"dlc-7f3a",
     "time":"2026-01-05T08:00:00.250Z","workspace":"vision","datacontenttype":"application/json",
     "data":{"kind":"dlc","name":"resnet-50","owner":"alice","attempt":2,"final":true,"reason":null,"exitCode":137,
             "labels":{"team":"vision"},"results":{"drift":0.25},"items":[{"a":1,"b":"x"},{"a":-2e3,"b":[]}]}}
    """#,
    #"{"specversion":"1.0","id":"1","source":"/s","type":"pipeline.failed","workspace":"vision","data":"10.0.0.1"}"#,
    #"{"specversion":"1.0","id":"é","source":"/s","type":"model.approved","workspace":"vision"}"#,
].map { Array($0.utf8) }
