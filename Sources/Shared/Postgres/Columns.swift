/// What an `INSERT … SELECT` writes, by the column: an array for each, and one value for what is the same in all rows.
///
/// The arrays are unnested side by side in the select list. In `FROM` the server first writes each of them into a store of its
/// own and reads it again, which costs more than half of what the row does.
public struct Columns: Sendable {
    private var names: [String] = []
    private var expressions: [String] = []
    private var values = Parameters()

    /// No columns yet; one of them at least has to be an array.
    public init() {}

    /// Adds a column of numbers.
    public mutating func add(_ name: String, _ numbers: [Int64]) {
        values.add(numbers)
        take(name, "unnest($\(values.types.count)::int8[])")
    }
    /// Adds a column of texts and NULLs.
    public mutating func add(_ name: String, _ texts: [String?]) {
        values.add(texts)
        take(name, "unnest($\(values.types.count)::text[])")
    }
    /// Adds a column of 16 bytes each.
    public mutating func add(_ name: String, _ halves: [(high: UInt64, low: UInt64)]) {
        values.add(halves)
        take(name, "unnest($\(values.types.count)::uuid[])")
    }
    /// Adds a column of pieces of a buffer.
    public mutating func add(_ name: String, pieces: [Range<Int>], of buffer: [UInt8]) {
        values.add(pieces: pieces, of: buffer)
        take(name, "unnest($\(values.types.count)::bytea[])")
    }
    /// Adds a column that has one number in all rows, or NULL.
    public mutating func add(_ name: String, all number: Int64?) {
        values.add(number)
        take(name, "$\(values.types.count)::int8")
    }
    /// Adds a column of numbers and NULLs, as one value when all are the same.
    public mutating func add(_ name: String, mostlyOne numbers: [Int64?]) {
        guard let first = numbers.first, numbers.allSatisfy({ $0 == first }) else {
            values.add(numbers)
            return take(name, "unnest($\(values.types.count)::int8[])")
        }
        add(name, all: first)
    }
    /// Adds a column of texts, as one value when all are the same.
    public mutating func add(_ name: String, mostlyOne texts: [String]) {
        guard let first = texts.first, texts.allSatisfy({ $0 == first }) else {
            return add(name, texts.map { $0 as String? })
        }
        values.add(first)
        take(name, "$\(values.types.count)::text")
    }

    private mutating func take(_ name: String, _ expression: String) {
        names.append(name)
        expressions.append(expression)
    }

    /// The statement that writes them.
    ///
    /// - Parameter returning: what it tells of each row, in the order of the arrays; nothing.
    public func insert(into table: String, returning: String? = nil) -> Command {
        let (names, expressions) = (names.joined(separator: ", "), expressions.joined(separator: ", "))
        return Command(
            "INSERT INTO \(table) (\(names)) SELECT \(expressions)" + (returning.map { " RETURNING \($0)" } ?? ""),
            values)
    }
}
