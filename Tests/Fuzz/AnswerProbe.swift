import CarillonEvents
import CarillonWorker

// Answers over plain HTTP: whoever is sent to may answer anything, in pieces of any length.

/// An answer reads the same however it is cut into pieces, and no more of it is kept than may be.
func probeAnswer(_ text: Span<UInt8>) {
    let (whole, wholeAnswer) = reading(of: text, pieces: text.count)
    let (bytes, answer) = reading(of: text, pieces: 1)
    precondition(wholeAnswer.status == answer.status, "an answer in pieces has another status")
    precondition(wholeAnswer.retryAfter == answer.retryAfter, "an answer in pieces asks for another wait")
    precondition(isEnd(whole) == isEnd(bytes) && (whole == .broken) == (bytes == .broken), "it ends in pieces only")
    precondition(answer.body.count <= AnswerNotes.keptLimit, "more is kept than may be")
    if text.count <= AnswerNotes.bodyLimit {
        precondition(wholeAnswer.body == answer.body, "an answer in pieces has another body")
    }
}

private func reading(of text: Span<UInt8>, pieces: Int) -> (AnswerReader.Progress, Response) {
    var reader = AnswerReader()
    var progress = AnswerReader.Progress.more
    var next = 0
    while progress == .more, next < text.count {
        let end = min(next + max(1, pieces), text.count)
        progress = reader.take(text.extracting(next..<end))
        next = end
    }
    return (progress, reader.notes.answer(status: reader.status, now: Timestamp(milliseconds: 0)))
}

private func isEnd(_ progress: AnswerReader.Progress) -> Bool {
    if case .ended = progress { true } else { false }
}
