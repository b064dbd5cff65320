import CarillonEvents
import CarillonLedger
import CarillonPostgres

/// What a rule with `order: supersede` needs: of a pair it wants only the newest.
///
/// A new delivery ends the rule's older ones of the pair that wait, and one that comes back from its worker ends when a newer
/// one is there. The open deliveries of such pairs are all read, and locked, so that no claim takes what is ended here.
enum Superseding {
    /// Why an older delivery ended.
    static let reason = "superseded"

    /// An open delivery of such a pair.
    struct Open {
        enum Place {
            case ledger(DeliveryID)
            /// Its place among the rows of the batch.
            case batch(Int)
        }
        let place: Place
        let rule: Int64
        let isLeased: Bool
        var due: Int64?
        let notBefore: Int64?
        let session: SessionID
        /// Whether it was delivered, and is only sent again.
        var isResent = false
    }

    /// The pairs in which a batch may end older deliveries.
    static func pairs(of batch: Decisions) -> Set<Int64> {
        Set(batch.deliveries.lazy.filter(\.supersedes).compactMap { $0.pair?.number })
    }

    static func reading(_ pairs: Set<Int64>) -> Command {
        var values = Parameters()
        values.add(pairs.sorted())
        return Command(
            """
            SELECT pair, id, rule, state, due, not_before, session,
                EXISTS (SELECT 1 FROM resend r WHERE r.delivery = delivery.id) FROM delivery
            WHERE pair = ANY($1) AND state < 2 ORDER BY id FOR NO KEY UPDATE
            """, values)
    }

    /// What `reading` found, oldest first.
    static func queues(of pairs: Set<Int64>, _ rows: Rows) -> [Int64: [Open]] {
        var queues: [Int64: [Open]] = [:]
        for pair in pairs { queues[pair] = [] }
        for row in rows.indices {
            queues[rows.int(row, 0)]?.append(
                Open(
                    place: .ledger(rows.int(row, 1)), rule: rows.int(row, 2),
                    isLeased: rows.int(row, 3) == StateCode.leased, due: rows.optionalInt(row, 4),
                    notBefore: rows.optionalInt(row, 5), session: rows.int(row, 6), isResent: rows.int(row, 7) != 0))
        }
        return queues
    }

    /// Ends what of these came back to wait though a younger one of its rule is there.
    static func endReturned(_ deliveries: [DeliveryID], _ now: Int64) -> Command {
        var values = Parameters()
        values.add(deliveries)
        values.add(StateCode.expired)
        values.add(now)
        values.add(reason)
        return Command(
            """
            UPDATE delivery d SET state = $2::int4, due = NULL, not_before = NULL, settled = $3, reason = $4
            WHERE d.id = ANY($1) AND d.state = 0 AND d.supersedes = 1 AND EXISTS (
                SELECT 1 FROM delivery y WHERE y.pair = d.pair AND y.state < 2 AND y.id > d.id AND y.rule = d.rule)
            """, values)
    }

    static func end(_ deliveries: [DeliveryID], _ now: Int64) -> Command {
        var values = Parameters()
        values.add(deliveries)
        values.add(StateCode.expired)
        values.add(now)
        values.add(reason)
        return Command(
            """
            UPDATE delivery SET due = NULL, not_before = NULL, settled = $3, reason = $4,
                state = CASE WHEN EXISTS (SELECT 1 FROM resend r WHERE r.delivery = delivery.id) THEN 2 ELSE $2::int4 END
            WHERE id = ANY($1)
            """, values)
    }
}

extension DecisionWriter.Pair {
    /// Sums up a queue; `nil` when nothing is open.
    init?(_ queue: [Superseding.Open]) {
        guard let head = queue.first, let last = queue.last else { return nil }
        var id: DeliveryID?
        if case .ledger(let number) = head.place { id = number }
        self.init(
            head: id, headIsLeased: head.isLeased, headDue: head.due, headNotBefore: head.notBefore,
            headSession: head.session, lastSession: last.session)
    }
}
