import CarillonEvents
import CarillonWorker

// Answers over plain HTTP: whoever is sent to may answer anything, in pieces of any length.

/// An answer reads the same however it is cut into pieces, and no more of it is kept than may be.
func probeAnswer(_ text: Span<UInt8>) {
    let (whole, wholeAnswer, _) = reading(of: text, pieces: text.count)
    let (bytes, answer, behind) = reading(of: text, pieces: 1)
    precondition(wholeAnswer.status == answer.status, "an answer in pieces has another status")
    precondition(wholeAnswer.retryAfter == answer.retryAfter, "an answer in pieces asks for another wait")
    // Only who sees bytes behind the end can be warned by them.
    let expected = behind > 0 && bytes == .ended(keeps: true) ? .ended(keeps: false) : bytes
    precondition(whole == expected, "an answer in pieces ends in another way")
    precondition(answer.body.count <= AnswerNotes.keptLimit, "more is kept than may be")
    if text.count <= AnswerNotes.bodyLimit {
        precondition(wholeAnswer.body == answer.body, "an answer in pieces has another body")
    }
}

private func reading(
    of text: Span<UInt8>, pieces: Int
) -> (progress: AnswerReader.Progress, answer: Response, behind: Int) {
    var reader = AnswerReader()
    var progress = AnswerReader.Progress.more
    var next = 0
    while progress == .more, next < text.count {
        let end = min(next + max(1, pieces), text.count)
        progress = reader.take(text.extracting(next..<end))
        next = end
    }
    return (progress, reader.notes.answer(status: reader.status, now: Timestamp(milliseconds: 0)), text.count - next)
}
