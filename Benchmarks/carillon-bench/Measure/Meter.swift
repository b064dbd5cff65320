import Glibc

/// CPU of the whole process and wall time of a stretch of work, as one JSON line a script can read.
struct Meter {
    private let began = ContinuousClock.now
    private let cpu = Self.cpuMicroseconds()

    /// What was taken since a meter was made.
    struct Taken {
        let cpuMicroseconds, wallMicroseconds: Double

        /// Prints it for each of `rows`.
        func report(rows: Int, _ more: [(String, Int)] = []) throws {
            let each = Double(max(rows, 1))
            let rest = more.map { ",\"\($0.0)\":\($0.1)" }.joined()
            let (cpu, wall) = (cpuMicroseconds / each, wallMicroseconds / each)
            try StandardOutput.say("{\"rows\":\(rows),\"cpu_us_per_row\":\(cpu),\"wall_us_per_row\":\(wall)\(rest)}")
        }
    }

    /// User and system time of this process so far.
    static func cpuMicroseconds() -> Double {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    /// What was taken so far.
    func taken() -> Taken {
        Taken(
            cpuMicroseconds: Self.cpuMicroseconds() - cpu,
            wallMicroseconds: (ContinuousClock.now - began) / .microseconds(1))
    }

    /// Prints what each of `rows` took so far.
    func report(rows: Int, _ more: [(String, Int)] = []) throws { try taken().report(rows: rows, more) }
}
