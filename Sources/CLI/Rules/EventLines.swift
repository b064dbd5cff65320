import CarillonEvents

/// Reads events from files, one JSON object a line, and reports the lines that are none.
///
/// Lines are read in place: an event costs no memory of its own.
struct EventLines {
    /// How many lines were reported.
    private(set) var bad = 0

    /// Hands over each line of a file (`-` is standard input) that is not blank.
    ///
    /// What `body` throws is reported as `FILE:LINE: why`, as is a line longer than `limit`; the rest goes on.
    ///
    /// - Throws: when the file cannot be read.
    mutating func read<Fault: Error & CustomStringConvertible>(
        _ file: String, longest limit: Int, _ body: (_ text: Span<UInt8>, _ line: Int) throws(Fault) -> Void
    ) throws {
        var reader = try LineReader(file)
        let name = file == "-" ? "stdin" : file
        while let place = try reader.nextPlace() {
            switch place {
            case .tooLong(let bytes): report(name, reader.number, EventError(.tooLarge(bytes: bytes, limit: limit)))
            case .at(let range):
                let number = reader.number
                do throws(Fault) {
                    try reader.withBytes(at: range) { (text) throws(Fault) in
                        if !text.isBlank { try body(text, number) }
                    }
                } catch { report(name, number, error) }
            }
        }
    }

    private mutating func report(_ file: String, _ line: Int, _ fault: some CustomStringConvertible) {
        bad += 1
        Console.error("\(file):\(line): \(fault)")
    }
}

extension Span<UInt8> {
    /// Whether there is nothing but white space; seen at the first byte of nearly every line.
    fileprivate var isBlank: Bool {
        for place in indices where self[place] != 0x20 && self[place] != 0x0D && self[place] != 0x09 { return false }
        return true
    }
}
