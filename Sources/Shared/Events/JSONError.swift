/// Why a text is not the JSON it should be, and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong at the place.
    public enum Fault: UInt8, Sendable, Hashable, CaseIterable {
        case noValue, truncated, trailing, byteOrderMark, unexpected, literal
        case key, colon, commaOrBrace, commaOrBracket, duplicateKey, depth
        case leadingZero, digit
        case control, escape, hex, loneSurrogate, invalidUTF8
    }
    /// Offset of the byte at fault, from the start of the text.
    public let offset: Int
    /// What is wrong there.
    public let fault: Fault

    /// Makes one.
    public init(_ fault: Fault, at offset: Int) { (self.fault, self.offset) = (fault, offset) }

    /// What is wrong, in words for a person.
    public var reason: String { fault.words }
    /// What is wrong and where, in words for a person.
    public var description: String { "\(reason) at byte \(offset)" }
}

extension JSONError.Fault {
    var words: String {
        switch self {
        case .noValue: "there is no JSON value"
        case .truncated: "the text ends before the JSON does"
        case .trailing: "something follows the JSON value"
        case .byteOrderMark: "the text starts with a byte order mark, which JSON does not allow"
        case .unexpected: "a JSON value is expected (object, array, string in double quotes, number, true, false, null)"
        case .literal: "this is not true, false or null"
        case .key: "a member's name in double quotes is expected"
        case .colon: "':' is expected behind a member's name"
        case .commaOrBrace: "',' or '}' is expected behind a member"
        case .commaOrBracket: "',' or ']' is expected behind an element"
        case .duplicateKey: "the object has this name already"
        case .depth: "arrays and objects nest deeper than \(JSON.maxDepth)"
        case .leadingZero: "a number does not start with 0 and go on"
        case .digit: "a digit is expected in this number"
        case .control: "a control character in a string has to be escaped"
        case .escape: "there is no such escape; allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"
        case .hex: "four hexadecimal digits are expected behind \\u"
        case .loneSurrogate: "half of a surrogate pair stands alone"
        case .invalidUTF8: "this is not UTF-8"
        }
    }
}
