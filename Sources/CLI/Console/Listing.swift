import ArgumentParser
import CarillonEvents

/// How a listing is printed.
enum ListingFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

struct ListingOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .customLong("output")], help: "table for people, json for programs.")
    var format: ListingFormat = .table
}

/// A list of things, each with the same columns: printed as an aligned table or as a JSON array, one thing a line.
struct Listing {
    let columns: [String]
    private var rows: [[JSONValue.Member]] = []
    private var cells: [[String]] = []

    init(columns: [String]) { self.columns = columns }

    /// Adds a thing: its cells for people, its members for programs.
    mutating func add(_ cells: [String], _ members: [JSONValue.Member]) {
        self.cells.append(cells)
        rows.append(members)
    }

    func print(_ format: ListingFormat, empty: String) {
        switch format {
        case .json: printJSON()
        case .table where cells.isEmpty: Console.out(empty)
        case .table: printTable()
        }
    }

    private func printJSON() {
        let lines = rows.map { JSONValue.object($0).text }
        Console.out(lines.isEmpty ? "[]" : "[" + lines.joined(separator: ",\n ") + "]")
    }

    private func printTable() {
        let heads = columns.map { $0.uppercased() }
        let widths = heads.indices.map { column in
            ([heads] + cells).map { $0[column].count }.max() ?? 0
        }
        for row in [heads] + cells {
            var line = ""
            for (column, cell) in row.enumerated() {
                line +=
                    column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
            }
            Console.out(line)
        }
    }
}

/// Text from outside made safe for a terminal: no control characters, bounded.
func printable(_ text: String, limit: Int = 200) -> String {
    var safe = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        safe.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
    }
    return safe + (text.unicodeScalars.count > limit ? "…" : "")
}
