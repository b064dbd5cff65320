import CarillonEvents
import CarillonLedger
import CarillonStream

// What happens to a batch. Each stage takes the receipt of the one before and has a folder that explains one line of this.
//
//     decode   which records some rule may want, and where their attributes stand      Decode/
//     match    which rules select them, and which deliveries that makes                Match/
//     admit    one ledger transaction: decisions, deliveries, position                 Admit/
//     dispatch what was admitted to us goes to the courier; the rest waits             Dispatch/
//     settle   how tries ended, written in batches                                     Settle/

extension Path {
    /// Takes one batch through all stages.
    ///
    /// When it returns, every record of the batch is decided, durably.
    ///
    /// - Throws: `LedgerError`; nothing of the batch is decided then, and the stream brings it again.
    func handle(_ batch: RecordBatch) throws(LedgerError) {
        crash.reach(.afterRead)
        var admitted: Admitted?
        while admitted == nil {
            let decoded = decode(batch, wanted: book.current)
            let matched = match(decoded, at: clock.now())
            admitted = try admit(matched)
            if admitted == nil, batch.dropped > 0 {
                // What the old rules did not want was left behind unread, and the new ones may want it.
                return try seek(batch.partition, to: try ledgerPosition(of: batch.partition))
            }
        }
        crash.reach(.afterDecision)
        if let admitted { dispatch(admitted) }
    }
}
