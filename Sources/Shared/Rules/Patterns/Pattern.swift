// What a pattern says, as AWS's event-ruler documents its language. A field is a path of names; the names of nested
// mappings are joined by points, so that `{a: {b: …}}` and `{"a.b": …}` are one path, in patterns and in events. `$or` is
// multiplied out: a pattern is some branches of which one has to fit, and a branch some fields that all have to.

/// What a rule asks of an event's fields.
struct Pattern: Sendable, Hashable {
    /// One of these has to fit.
    var branches: [Branch]

    /// Fields of which all have to fit, in the order of their paths.
    struct Branch: Sendable, Hashable {
        var fields: [Field] = []

        /// Sets what a path has to fit, its number being that of the path; true when this replaces what was set before.
        ///
        /// Leaves the fields in the order of their coming.
        mutating func set(_ field: Field) -> Bool {
            if let place = fields.firstIndex(where: { $0.number == field.number }) {
                fields[place] = field
                return true
            }
            fields.append(field)
            return false
        }

        /// Adds a field beside those there are, also one of the same path.
        mutating func insert(_ field: Field) {
            let place = fields.firstIndex { field.path.precedes($0.path) } ?? fields.count
            fields.insert(field, at: place)
        }
    }

    /// The tests of a path, one of which has to be met by one of the values there.
    ///
    /// A class, as `$or` puts one field into many branches.
    final class Field: Sendable, Hashable {
        let path: ByteText
        let tests: [ValueTest]
        /// The path's number among those of its pattern while that is read.
        let number: Int

        init(path: ByteText, tests: [ValueTest], number: Int = -1) {
            (self.path, self.tests, self.number) = (path, tests, number)
        }

        static func == (a: Field, b: Field) -> Bool { a === b || (a.path == b.path && a.tests == b.tests) }

        func hash(into hasher: inout Hasher) {
            hasher.combine(path)
            hasher.combine(tests)
        }
    }
}

/// What a value has to be.
enum ValueTest: Sendable, Hashable {
    case text(ByteText)
    case number(ComparableNumber)
    /// A number that no double says exactly: only this spelling equals it.
    case spelling(ByteText)
    case bool(Bool)
    case null
    case begins(ByteText)
    case ends(ByteText)
    case caseless(Caseless, Part)
    case wildcard(Wildcard)
    /// A comparable number between these, both included.
    case between(ComparableNumber, ComparableNumber)
    case block(AddressBlock)
    /// Any value.
    case present
    /// No value at all.
    case absent
    /// Any value that meets none of these.
    case none(of: [ValueTest])

    /// Which part of a text is met.
    enum Part: UInt8, Sendable { case whole, beginning, end }
}

extension ByteText {
    /// Whether this path comes first when paths are ordered name by name.
    func precedes(_ other: ByteText) -> Bool {
        let point = UInt8(ascii: ".")
        return text.utf8.lexicographicallyPrecedes(other.text.utf8) { a, b in
            a != b && (a == point || (b != point && a < b))
        }
    }
}
