import CarillonLedger
import CarillonSQLite

/// Numbers for the names that every delivery repeats: rules and lanes (a workspace's targets).
///
/// A cache over two small tables; bounded, and forgotten when a transaction that may have added a name fails.
struct NameBook {
    private struct Name: Hashable {
        let workspace, name: String
    }
    private static let bound = 50_000
    private var rules: [Name: Int64] = [:]
    private var lanes: [Name: Int64] = [:]
    private var laneNames: [Int64: LaneName] = [:]

    mutating func forget() {
        rules = [:]
        lanes = [:]
        laneNames = [:]
    }

    mutating func rule(_ workspace: String, _ name: String, in database: Database) throws(SQLiteFailure) -> Int64 {
        try Self.number(
            Name(workspace: workspace, name: name), &rules, in: database,
            find: "SELECT id FROM rule WHERE workspace = ? AND name = ?",
            add: "INSERT INTO rule (workspace, name) VALUES (?, ?)")
    }

    mutating func lane(_ workspace: String, _ target: String, in database: Database) throws(SQLiteFailure) -> Int64 {
        try Self.number(
            Name(workspace: workspace, name: target), &lanes, in: database,
            find: "SELECT id FROM lane WHERE workspace = ? AND target = ?",
            add: "INSERT INTO lane (workspace, target) VALUES (?, ?)")
    }

    /// Whose lane it is.
    mutating func name(of lane: Int64, in database: Database) throws(SQLiteFailure) -> LaneName {
        if let known = laneNames[lane] { return known }
        if laneNames.count >= Self.bound { laneNames = [:] }
        let query = try database.fixed("SELECT workspace, target FROM lane WHERE id = ?")
        query.bind(1, lane)
        defer { query.reset() }
        guard try query.step() else { return LaneName(workspace: "", target: "") }
        let name = LaneName(workspace: query.text(0), target: query.text(1))
        laneNames[lane] = name
        return name
    }

    private static func number(
        _ name: Name, _ known: inout [Name: Int64], in database: Database, find: String, add: String
    ) throws(SQLiteFailure) -> Int64 {
        if let number = known[name] { return number }
        if known.count >= bound { known = [:] }
        let query = try database.statement(find)
        query.bind(1, name.workspace)
        query.bind(2, name.name)
        defer { query.reset() }
        var number: Int64
        if try query.step() {
            number = query.int(0)
        } else {
            let insert = try database.statement(add)
            insert.bind(1, name.workspace)
            insert.bind(2, name.name)
            try insert.run()
            number = database.lastInserted
        }
        known[name] = number
        return number
    }
}
