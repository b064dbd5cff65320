package import CarillonEvents

/// What is noted of an answer while it comes in, whoever reads it.
package struct AnswerNotes {
    /// More of an answer is not read; the status counts all the same.
    package static let bodyLimit = 64 * 1024
    /// How much of an answer's body is kept, twice what `Words` shows.
    package static let keptLimit = 2 * Words.limit

    /// Whether a head is complete.
    package internal(set) var headIsComplete = false
    private var retryAfter: String?
    private var kept: [UInt8] = []
    private var received = 0

    /// Forgets an answer; the memory stays.
    mutating func reset() {
        (headIsComplete, retryAfter, received) = (false, nil, 0)
        kept.removeAll(keepingCapacity: true)
    }

    /// Notes the first line of a head; one before was 1xx, and no answer.
    mutating func begin() { (headIsComplete, retryAfter) = (false, nil) }

    /// Notes what the header `Retry-After` says.
    mutating func take(retryAfter value: Span<UInt8>) {
        let shown = value.extracting(first: 64)
        retryAfter = String(decoding: (0..<shown.count).map { shown[$0] }, as: UTF8.self)
    }

    /// Notes a part of the body; false when there was more than is read.
    mutating func take(body bytes: Span<UInt8>) -> Bool {
        let count = min(bytes.count, Self.keptLimit - kept.count)
        if count > 0 {
            kept.reserveCapacity(Self.keptLimit)
            for index in 0..<count { kept.append(bytes[index]) }
        }
        received += bytes.count
        return received <= Self.bodyLimit
    }

    /// The answer, as far as it came: a complete head counts, whatever became of the body.
    package func answer(status: Int, now: Timestamp) -> Response {
        Response(status: status, retryAfter: retryAfter.flatMap { RetryAfter.parse($0, now: now) }, body: kept)
    }
}
