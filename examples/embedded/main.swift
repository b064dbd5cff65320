// A scheduler of twenty lines: runs the command given after the workspace, and says how it ended.
//
//     swift run example-scheduler ~/.local/state/carillon vision sleep 1
import CarillonEvents
import CarillonPlatform
import CarillonProducer
import CarillonStream
import CarillonStreamSQLite
import Glibc

let arguments = CommandLine.arguments
guard arguments.count > 3 else { fatalError("usage: example-scheduler HOME WORKSPACE COMMAND…") }
let (home, workspace, job) = (arguments[1], arguments[2], "job-\(getpid())")
let clock = SystemClock()
let producer = try Producer(
    appender: { () throws(StreamError) in try SQLiteStream.open(at: home + "/stream.db").appender() },
    spool: home + "/spool")

func say(_ type: String, _ data: JSONValue) throws {
    let event = JobEvent(
        id: "\(job)/1/\(type)", source: "/examples/embedded", type: type, workspace: workspace, subject: job, data: data
    )
    if case .refused(let why) = producer.append(try event.encoded(now: clock.now())) { print("not taken: \(why)") }
}

try say(Lifecycle.Job.running, ["command": .string(arguments[3])])
let code = unsafe system(arguments[3...].joined(separator: " "))
try say(code == 0 ? Lifecycle.Job.succeeded : Lifecycle.Job.failed, ["exitCode": .integer(Int64(code >> 8))])
print(await producer.close())
