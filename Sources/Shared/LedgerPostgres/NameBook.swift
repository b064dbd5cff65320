import CarillonPostgres

/// Numbers for the names that every delivery repeats: rules and lanes (a workspace's targets).
///
/// A cache over two small tables whose rows never go; bounded. Names are written before the transaction that needs them, on
/// their own, so what is known here is always there.
struct NameBook {
    struct Name: Hashable {
        let workspace, name: String
    }
    private static let bound = 50_000
    private var rules: [Name: Int64] = [:]
    private var lanes: [Name: Int64] = [:]

    /// Makes all these names known.
    mutating func learn(
        rules: some Sequence<Name>, lanes: some Sequence<Name>, on connection: Connection
    ) throws(PostgresFailure) {
        try Self.learn(rules, &self.rules, table: "rule", column: "name", on: connection)
        try Self.learn(lanes, &self.lanes, table: "lane", column: "target", on: connection)
    }

    func rule(_ workspace: String, _ name: String) -> Int64 {
        rules[Name(workspace: workspace, name: name)] ?? Self.unlearned()
    }
    func lane(_ workspace: String, _ target: String) -> Int64 {
        lanes[Name(workspace: workspace, name: target)] ?? Self.unlearned()
    }
    private static func unlearned() -> Int64 { preconditionFailure("a batch is written whose names were not learned") }

    private static func learn(
        _ names: some Sequence<Name>, _ known: inout [Name: Int64], table: String, column: String,
        on connection: Connection
    ) throws(PostgresFailure) {
        var new: Set<Name> = []
        for name in names where known[name] == nil { new.insert(name) }
        guard !new.isEmpty else { return }
        if known.count + new.count > bound {
            // Those of this batch, known or not, are all read again.
            known = [:]
            for name in names { new.insert(name) }
        }
        let sorted = new.sorted { ($0.workspace, $0.name) < ($1.workspace, $1.name) }
        var values = Parameters()
        values.add(sorted.map { $0.workspace as String? })
        values.add(sorted.map { $0.name as String? })
        let wanted = "unnest($1::text[], $2::text[]) AS w(workspace, name)"
        let rows = try connection.run([
            Command(
                """
                INSERT INTO \(table) (workspace, \(column)) SELECT w.workspace, w.name FROM \(wanted) WHERE NOT EXISTS (
                    SELECT 1 FROM \(table) t WHERE t.workspace = w.workspace AND t.\(column) = w.name)
                ON CONFLICT DO NOTHING
                """, values),
            Command(
                """
                SELECT t.workspace, t.\(column), t.id FROM \(wanted)
                JOIN \(table) t ON t.workspace = w.workspace AND t.\(column) = w.name
                """, values),
        ])[1]
        for row in rows.indices {
            known[Name(workspace: rows.text(row, 0), name: rows.text(row, 1))] = rows.int(row, 2)
        }
    }
}
