import CarillonLedger
import CarillonPostgres

// What is written of a batch beside its events: what of it could not be decided, and its row.

/// What a batch came to, beyond what it says itself.
struct BatchCounts {
    let matched, duplicates, selected: Int
}

extension Decisions {
    func insertParked(_ now: Int64) -> Command {
        var values = Parameters()
        values.add(stream)
        values.add(Int64(partition))
        values.add(parked.map(\.offset))
        values.add(parked.map { $0.reason as String? })
        values.add(pieces: parked.map(\.value), of: bytes)
        values.add(now)
        return Command(
            """
            INSERT INTO parked (stream, partition, place, reason, bytes, at)
            SELECT $1, $2, p.*, $6 FROM unnest($3::int8[], $4::text[], $5::bytea[]) AS p
            """, values)
    }

    /// Writes the batch down; a batch that goes on where the last one of the same hour and revision ended prolongs it, so
    /// that a trickle of single events does not fill the ledger with rows.
    func note(_ counted: BatchCounts, prolonging last: Int64?, _ now: Int64) -> Command {
        let counts = [
            next, Int64(read), gap, Int64(unmatched), Int64(counted.matched), Int64(counted.duplicates),
            Int64(parked.count), Int64(counted.selected), holes,
        ]
        var values = Parameters()
        for count in counts { values.add(count) }
        if let last {
            values.add(last)
            return Command(
                """
                UPDATE batch SET next = $1, read = read + $2, gap = gap + $3, unmatched = unmatched + $4,
                    matched = matched + $5, duplicate = duplicate + $6, parked = parked + $7, selected = selected + $8,
                    holes = holes + $9 WHERE id = $10
                """, values)
        }
        values.add(stream)
        for number in [Int64(partition), from, revision, now] { values.add(number) }
        return Command(
            """
            INSERT INTO batch (next, read, gap, unmatched, matched, duplicate, parked, selected, holes, stream, partition,
                first, revision, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """, values)
    }
}
