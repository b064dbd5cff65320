extension Outcome {
    /// What an answer means that lacks the business code a chat's robots always give: the status decides, and a 2xx
    /// without the code came from something in between.
    static func ofChat(_ answer: Response) -> Outcome {
        (200..<300).contains(answer.status)
            ? .failed(.other, after: answer.retryAfter)
            : Outcome(ofStatus: answer.status, retryAfter: answer.retryAfter)
    }
}
