import CarillonEvents
import CarillonLedger
import CarillonPostgres

// The order of a pair (P13), kept by one rule: while none of a pair's open deliveries is leased, exactly its head has a due
// time; while some are, none has. Whatever changes a pair holds its lane and then arranges it anew.

enum Order {
    /// Locks lanes, in order; each is held by who changes what waits in it.
    ///
    /// - Parameter held: what to do about those that another holds; nothing to wait for them.
    static func lock(_ lanes: some Sequence<Int64>, orElse held: String = "") -> Command {
        var values = Parameters()
        values.add(Array(Set(lanes)).sorted())
        return Command("SELECT id FROM lane WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE \(held)", values)
    }

    /// Locks the lanes of deliveries.
    static func lockLanes(of deliveries: [DeliveryID]) -> Command {
        var values = Parameters()
        values.add(deliveries)
        return Command(
            """
            SELECT id FROM lane WHERE id = ANY(ARRAY(SELECT lane FROM delivery WHERE id = ANY($1)))
            ORDER BY id FOR NO KEY UPDATE
            """, values)
    }

    /// Gives the head of each pair its turn, where nothing of the pair is leased, and takes it from all others.
    ///
    /// The first statement waits for claims under way, so that the others see what they took.
    static func arrange(_ pairs: some Sequence<Int64>, _ now: Int64) -> [Command] {
        let pairs = Array(Set(pairs)).sorted()
        guard !pairs.isEmpty else { return [] }
        var values = Parameters()
        values.add(pairs)
        var timed = values
        timed.add(now)
        return [
            Command(
                """
                SELECT id FROM delivery
                WHERE pair = ANY($1) AND state < 2 AND due IS NOT NULL ORDER BY id FOR NO KEY UPDATE
                """, values),
            Command(
                """
                UPDATE delivery d SET due = NULL WHERE pair = ANY($1) AND state < 2 AND state = 0 AND due IS NOT NULL
                    AND EXISTS (SELECT 1 FROM delivery e WHERE e.pair = d.pair AND e.state < 2 AND e.id < d.id)
                """, values),
            Command(free, timed),
        ]
    }

    /// Gives the head of each pair its turn, where nothing of the pair is leased or due.
    ///
    /// For pairs of which something was leased until now, and so nothing is due.
    static func freeHeads(of pairs: some Sequence<Int64>, _ now: Int64) -> [Command] {
        let pairs = Array(Set(pairs)).sorted()
        guard !pairs.isEmpty else { return [] }
        var values = Parameters()
        values.add(pairs)
        values.add(now)
        return [Command(free, values)]
    }

    private static let free = """
        UPDATE delivery d SET due = greatest($2, d.not_before) FROM unnest($1::int8[]) AS p(pair) CROSS JOIN LATERAL (
            SELECT id, state, due FROM delivery WHERE pair = p.pair AND state < 2 ORDER BY id LIMIT 1) h
        WHERE d.id = h.id AND h.state = 0 AND h.due IS NULL AND NOT EXISTS (
            SELECT 1 FROM delivery o WHERE o.pair = p.pair AND o.state < 2 AND o.state = 1)
        """
}
