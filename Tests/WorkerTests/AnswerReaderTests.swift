import CarillonEvents
import CarillonKit
import CarillonWorker
import Testing

@Suite("Answers over plain HTTP: the status, the end, and whether the connection may carry another")
struct AnswerReaderTests {
    /// What a reader makes of an answer, and how much it leaves behind the end.
    private struct Reading: Equatable {
        var keeps = false
        var words: String
        var behind = 0
        var text: String { words.replacing("*", with: keeps ? "keeps" : "closes") }
    }

    /// Reads an answer that comes in pieces, each as long as `piece` says.
    private static func reading(of text: [UInt8], piece: () -> Int) -> Reading {
        var reader = AnswerReader()
        var progress = AnswerReader.Progress.more
        var next = 0
        while progress == .more, next < text.count {
            let count = min(max(1, piece()), text.count - next)
            progress = reader.take(text.span.extracting(next..<(next + count)))
            next += count
        }
        let answer = reader.notes.answer(status: reader.status, now: Timestamp(milliseconds: 0))
        let wait = answer.retryAfter.map { " after \($0)" } ?? ""
        let body = String(decoding: answer.body, as: UTF8.self)
        switch progress {
        case .ended(let keeps):
            return Reading(keeps: keeps, words: "\(answer.status) *\(wait) '\(body)'", behind: text.count - next)
        case .more:
            return Reading(words: reader.notes.headIsComplete ? "\(answer.status) goes on\(wait) '\(body)'" : "more")
        case .broken: return Reading(words: "broken")
        }
    }

    private static func check(_ text: String, _ expected: String, byBytes: String? = nil) {
        let bytes = Array(text.utf8)
        #expect(reading(of: bytes) { bytes.count }.text == expected, "as a whole: \(text.debugDescription)")
        #expect(reading(of: bytes) { 1 }.text == byBytes ?? expected, "byte by byte: \(text.debugDescription)")
    }

    @Test(
        "an answer whose end is beyond doubt keeps its connection",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 keeps 'hello'"),
            ("HTTP/1.1 200\r\ncontent-LENGTH:5\r\n\r\nhello", "200 keeps 'hello'"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", "200 keeps ''"),
            ("HTTP/1.1 204 No Content\r\n\r\n", "204 keeps ''"),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "204 keeps ''"),
            ("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "200 keeps 'ok'"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "200 keeps 'ok'"),
            (
                "HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\nHTTP/1.1 102 Busy\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 1\r\n\r\nx",
                "201 keeps 'x'"
            ),
            ("HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "503 keeps after 7.0 seconds ''"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world...\r\n0\r\n\r\n",
                "200 keeps 'hello, world...'"
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked \r\n\r\n1 \r\nx\r\n000\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n",
                "200 keeps 'x'"
            ),
        ])
    func keeps(text: String, expected: String) { Self.check(text, expected) }

    @Test(
        "an oddity costs the connection and not the answer",
        arguments: [
            ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "200 closes 'ok'"),
            ("HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nok", "200 closes 'ok'"),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 closes 'ok'"),
            (
                "HTTP/1.1 500 No\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n0\r\n\r\n",
                "500 closes 'why'"
            ),
            ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 goes on 'until the end'"),
            ("HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nok", "204 closes ''"),
            ("HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "204 closes ''"),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "304 closes ''"),
            ("HTTP/1.1 304 Not Modified\r\n\r\n", "304 closes ''"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "200 closes ''"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "200 closes ''"
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 closes ''"
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", "200 goes on 'ok'"),
            ("HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\nContent-Length: 2\r\n\r\nok", "200 closes 'ok'"),
            ("HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nok", "200 closes 'ok'"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "200 closes ''"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", "200 closes 'x'"),
        ])
    func closes(text: String, expected: String) { Self.check(text, expected) }

    @Test(
        "bytes behind the end cost the connection when they come with it; later ones are for the connection to see",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n", "200 * 'ok'"),
            ("HTTP/1.1 204 None\r\n\r\nHTTP/1.1 500 No\r\n\r\n", "204 * ''"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n", "200 * ''"),
        ])
    func behind(text: String, words: String) {
        Self.check(
            text, words.replacing("*", with: "closes"), byBytes: words.replacing("*", with: "keeps"))
    }

    @Test(
        "what HTTP/1.1 does not allow is no answer",
        arguments: [
            "hello\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 099 Low\r\n\r\n", "ICY 200 OK\r\n\r\n",
            "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n", "220 mail.example.com\r\n", "HTTP/1.1 -20 OK\r\n\r\n",
        ])
    func broken(text: String) { Self.check(text, "broken") }

    @Test("half an answer is none yet", arguments: ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nX: y\r\n", "\0\0\0\0"])
    func half(text: String) { Self.check(text, "more") }

    @Test("no head is longer than is read, and no words in advance go on for ever")
    func endless() {
        let header = "X-Long: " + String(repeating: "y", count: 1000) + "\r\n"
        let many = String(repeating: header, count: AnswerReader.headLimit / 1000 + 1)
        Self.check("HTTP/1.1 200 OK\r\n" + many, "broken")
        Self.check("HTTP/1.1 200 OK\r\nX: " + String(repeating: "y", count: AnswerReader.headLimit), "broken")
        Self.check(String(repeating: "HTTP/1.1 100 Wait\r\n\r\n", count: 5000), "broken")
        let comment = String(repeating: "z", count: AnswerReader.headLimit)
        Self.check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + comment, "200 closes ''")
    }

    @Test("no more of a body is read than counts, and less is kept")
    func longBody() {
        let count = AnswerNotes.bodyLimit + 1
        let kept = String(repeating: "x", count: AnswerNotes.keptLimit)
        let body = String(repeating: "x", count: count)
        Self.check("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n" + body, "200 closes '\(kept)'")
        Self.check("HTTP/1.1 500 No\r\n\r\n" + body, "500 closes '\(kept)'")
        Self.check("HTTP/1.1 200 OK\r\nContent-Length: \(count - 1)\r\n\r\n" + body.dropLast(), "200 keeps '\(kept)'")
    }

    @Test("a reader that is used again knows nothing of the answer before")
    func reset() {
        var reader = AnswerReader()
        let first = Array("HTTP/1.0 503 No\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nhalf".utf8)
        #expect(reader.take(first.span) == .more)
        reader.reset()
        #expect(!reader.notes.headIsComplete)
        let second = Array("HTTP/1.1 204 None\r\n\r\n".utf8)
        #expect(reader.take(second.span) == .ended(keeps: true))
        let answer = reader.notes.answer(status: reader.status, now: Timestamp(milliseconds: 0))
        #expect(answer.status == 204 && answer.retryAfter == nil && answer.body.isEmpty)
    }

    @Test("however an answer is cut into pieces, and whatever was changed in it, it reads the same", arguments: 1...8)
    func anyPieces(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let answers = [
            "HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nRetry-After: 3\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\nT: 1\r\n\r\n",
            "HTTP/1.1 429 No\r\nConnection: close\r\n\r\nuntil the end of all",
        ].map { Array($0.utf8) }
        for round in 0..<2000 {
            var text = answers[Int.random(in: 0..<answers.count, using: &random)]
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let place = Int.random(in: 0..<text.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: text[place] = UInt8.random(in: 0...255, using: &random)
                case 1: text.remove(at: place)
                default: text.insert(text[Int.random(in: 0..<text.count, using: &random)], at: place)
                }
            }
            let whole = Self.reading(of: text) { text.count }
            let pieces = Self.reading(of: text) { Int.random(in: 1...9, using: &random) }
            let shown = String(decoding: text, as: UTF8.self).debugDescription
            // Only who sees bytes behind the end can be warned by them.
            let isSame = pieces.behind > 0 ? whole.words == pieces.words && !whole.keeps : whole == pieces
            #expect(isSame, "seed \(seed), round \(round): \(shown)")
        }
    }
}
