import CarillonEvents
import CarillonStream
import CarillonStreamSQLite
import Glibc

// Another process for the stream's tests: it appends, reads or fills a stream until it is done or killed.
//
//     stream-probe append PATH WORKSPACE BATCHES SIZE   one line "acked N" after each batch
//     stream-probe read PATH GROUP                      one line "assigned P" for each partition; ends with its parent
//     stream-probe fill PATH BYTES                      appends until no file may grow beyond BYTES; says why it ended

/// Prints a line at once, so that the parent knows how far this process came before it was killed.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// The events of one batch, each with its place as its value.
func batch(_ number: Int, of workspace: String, size: Int, padding: Int = 0) -> [EncodedEvent] {
    (0..<size).map { index in
        let value = "\(workspace)/\(number)/\(index)" + String(repeating: " ", count: padding)
        return EncodedEvent(workspace: workspace, type: "job.failed", bytes: Array(value.utf8))
    }
}

func append(_ stream: SQLiteStream, _ workspace: String, batches: Int, size: Int) throws {
    let appender = try stream.appender()
    for number in 0..<batches {
        try appender.append(batch(number, of: workspace, size: size))
        say("acked \(number)")
    }
}

func read(_ stream: SQLiteStream, group: String) throws {
    let parent = getppid()
    let reader = try stream.reader(group: group)
    while getppid() == parent {
        if case .assigned(let partitions) = try reader.poll(wait: .seconds(1)) {
            for partition in partitions { say("assigned \(partition)") }
        }
    }
}

func fill(_ stream: SQLiteStream, bytes: rlim_t) throws {
    let appender = try stream.appender()
    _ = signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
    guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return say("no limit set") }
    for number in 0... {
        do throws(StreamError) {
            try appender.append(batch(number, of: "full", size: 20, padding: 2000))
        } catch {
            return say("refused \(error.isRetriable)")
        }
        say("acked \(number)")
    }
}

let arguments = CommandLine.arguments
guard arguments.count >= 4 else {
    say("usage: stream-probe append|read|fill PATH …")
    exit(2)
}
let stream = try SQLiteStream.open(at: arguments[2])
switch arguments[1] {
case "append":
    try append(stream, arguments[3], batches: Int(arguments[4]) ?? 1, size: Int(arguments[5]) ?? 1)
case "read": try read(stream, group: arguments[3])
default: try fill(stream, bytes: rlim_t(arguments[3]) ?? 0)
}
