public import CarillonEvents

/// Reads a stream beside its groups: any place, as often as one likes.
///
/// For questions and replays. No group's position and no retention knows of it, so live reading is not disturbed and what
/// it reads may be removed meanwhile: a batch begins then with a gap. One thread uses it.
public protocol StreamScanner: AnyObject {
    /// The earliest kept and the next offset of each partition, as of now.
    func ends() throws(StreamError) -> [Partition: StreamEnds.Ends]
    /// What the ledger calls a partition that `ends` named.
    func place(of partition: Partition) -> Place
    /// The first offset whose record was appended at a moment or later; the next offset when there is none.
    ///
    /// Exact as far as append times rise with the offsets.
    func offset(in partition: Partition, since moment: Timestamp) throws(StreamError) -> Offset
    /// Reads records of one partition from `from` up to, not including, `to`.
    ///
    /// - Parameter limit: the most records; a batch may be shorter, and passes nothing only when nothing stands between
    ///   the two.
    func read(_ partition: Partition, from: Offset, to: Offset, limit: Int) throws(StreamError) -> RecordBatch
}
