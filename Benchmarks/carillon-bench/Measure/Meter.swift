import Glibc

/// CPU of the whole process and wall time of a stretch of work, as one JSON line a script can read.
struct Meter {
    private let wall = ContinuousClock.now
    private let cpu = Self.cpuMicroseconds()

    /// User and system time of this process so far.
    static func cpuMicroseconds() -> Double {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    /// Prints what each of `rows` took since the meter was made.
    func report(rows: Int, _ more: [(String, Int)] = []) throws {
        let cpu = Self.cpuMicroseconds() - cpu
        let wall = Double((ContinuousClock.now - wall) / .microseconds(1))
        let each = Double(max(rows, 1))
        let rest = more.map { ",\"\($0.0)\":\($0.1)" }.joined()
        try Output(path: nil).write(Array(
            "{\"rows\":\(rows),\"cpu_us_per_row\":\(cpu / each),\"wall_us_per_row\":\(wall / each)\(rest)}\n".utf8))
    }
}
