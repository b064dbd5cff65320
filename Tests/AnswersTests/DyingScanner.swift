import CarillonEvents
import CarillonStream

/// A scanner that fails after some reads of one record each.
final class Dying: StreamScanner {
    private let scanner: any StreamScanner
    private var left: Int
    init(_ scanner: any StreamScanner, after left: Int) { (self.scanner, self.left) = (scanner, left) }
    func place(of partition: Partition) -> Place { scanner.place(of: partition) }
    func ends() throws(StreamError) -> [Partition: StreamEnds.Ends] { try scanner.ends() }
    func offset(in partition: Partition, since moment: Timestamp) throws(StreamError) -> Offset {
        try scanner.offset(in: partition, since: moment)
    }
    func read(_ partition: Partition, from: Offset, to: Offset, limit: Int) throws(StreamError) -> RecordBatch {
        if left == 0 { throw StreamError(.other, doing: "die") }
        left -= 1
        return try scanner.read(partition, from: from, to: to, limit: 1)
    }
}
