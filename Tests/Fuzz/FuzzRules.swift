import Foundation

// One harness, two engines. Built as everything else is, it mutates the seeds of `Corpus` by itself: the same seed makes
// the same inputs on every machine, which is what `make test` runs. Built with `--sanitize=fuzzer -Xswiftc -DLIBFUZZER`
// it is a libFuzzer target, which learns from what its inputs reach: that is `make fuzz`. `Tests/Fuzz/run` does both.

/// How long one input may take, in CPU seconds; then the process is ended by SIGPROF.
private let patience = 10
/// How much memory all inputs together may need.
private let mostMemory = 512 << 20

/// The command line.
private struct Arguments {
    var probes = Probe.all
    var runs = 5_000
    var seconds = 60.0
    var seed: UInt64 = 1
    var corpus = "Tests/Fuzz/Corpus"
    var dictionary = "Tests/Fuzz/dictionary"
    var last = ".build/fuzz-last-input"
    var files: [String] = []

    static let help = """
        usage: fuzz-rules [--only PROBE] [--runs N] [--cpu-seconds S] [--seed N] [FILE…]

        Feeds N mutated inputs a probe (5000) to Carillon's readers, at most S CPU seconds a probe (60).
        With FILEs: feeds just these, to the one PROBE or to all. Probes: \(Probe.all.map(\.name).joined(separator: ", ")).
        More: --corpus FOLDER, --dictionary FILE, --last FILE (keeps the input that is being tried).
        """

    init(_ words: some Sequence<String>) {
        var words = Array(words)[...]
        while let word = words.popFirst() {
            guard word.hasPrefix("--") else {
                files.append(word)
                continue
            }
            guard let value = words.popFirst(), set(word, value) else { Self.refuse(word) }
        }
    }

    private mutating func set(_ option: String, _ value: String) -> Bool {
        switch option {
        case "--only": probes = Probe.all.filter { $0.name == value }
        case "--runs": runs = Int(value) ?? -1
        case "--cpu-seconds": seconds = Double(value) ?? -1
        case "--seed": seed = UInt64(value) ?? 0
        case "--corpus": corpus = value
        case "--dictionary": dictionary = value
        case "--last": last = value
        default: return false
        }
        return !probes.isEmpty && runs >= 0 && seconds >= 0
    }

    private static func refuse(_ word: String) -> Never {
        if word == "--help" {
            say(help)
            exit(0)
        }
        say("fuzz-rules: \(word): not understood; see fuzz-rules --help")
        exit(2)
    }
}

/// One run of the harness's own engine.
private struct Session {
    let arguments: Arguments
    let words: [[UInt8]]
    let last: LastInput

    init(_ arguments: Arguments) {
        self.arguments = arguments
        words = dictionary(read(arguments.dictionary) ?? [])
        last = LastInput(arguments.last)
    }

    func run() {
        for probe in arguments.probes {
            if arguments.files.isEmpty { search(probe) } else { replay(probe) }
        }
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let peak = usage.ru_maxrss << 10
        precondition(peak <= mostMemory, "\(peak >> 20) MiB for small inputs")
    }

    private func replay(_ probe: Probe) {
        for file in arguments.files {
            guard let input = read(file) else {
                say("fuzz-rules: \(file): cannot be read")
                exit(1)
            }
            try_(input, probe)
        }
    }

    private func search(_ probe: Probe) {
        let seeds = inputs(in: arguments.corpus + "/" + probe.name)
        precondition(!seeds.isEmpty, "no seeds for \(probe.name) below \(arguments.corpus)")
        for seed in seeds { try_(seed, probe) }
        var mutation = Mutation(seeds: seeds, words: words, seed: arguments.seed)
        let began = cpuSeconds()
        var runs = 0
        while runs < arguments.runs, cpuSeconds() - began < arguments.seconds {
            try_(mutation.next(), probe)
            runs += 1
        }
        let spent = Int((cpuSeconds() - began) * 1000)
        say("\(probe.name): \(seeds.count) seeds and \(runs) inputs of seed \(arguments.seed), \(spent) ms of CPU")
    }

    private func try_(_ input: [UInt8], _ probe: Probe) {
        last.keep(input)
        var limit = itimerval(
            it_interval: timeval(), it_value: timeval(tv_sec: patience, tv_usec: 0))
        unsafe setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &limit, nil)
        probe.run(input.span)
    }
}

private func say(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

private func cpuSeconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

func read(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { Array($0) } }

private func inputs(in folder: String) -> [[UInt8]] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { read(folder + "/" + $0) }
}

/// The words of a libFuzzer dictionary: `"…"` lines with `\xNN`, `\\` and `\"`.
func dictionary(_ text: [UInt8]) -> [[UInt8]] {
    text.split(separator: UInt8(ascii: "\n")).compactMap { line in
        guard let open = line.firstIndex(of: UInt8(ascii: "\"")), let close = line.lastIndex(of: UInt8(ascii: "\"")),
            open < close, line.first != UInt8(ascii: "#")
        else { return nil }
        var word: [UInt8] = []
        var rest = line[(open + 1)..<close]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                word.append(byte)
                continue
            }
            guard escaped == UInt8(ascii: "x") else {
                word.append(escaped)
                continue
            }
            word.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return word
    }
}

#if LIBFUZZER
    /// Which probe this process is about: libFuzzer's own command line is not ours to change.
    private let chosen: Probe = {
        let name = ProcessInfo.processInfo.environment["CARILLON_FUZZ"] ?? ""
        guard let probe = Probe.named(name) else { preconditionFailure("CARILLON_FUZZ names no probe: '\(name)'") }
        return probe
    }()

    /// What libFuzzer calls with each input.
    @_cdecl("LLVMFuzzerTestOneInput")
    public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        // libFuzzer keeps the bytes while this call lasts.
        unsafe chosen.run(UnsafeBufferPointer(start: bytes, count: count).span)
        return 0
    }
#else
    @main
    struct FuzzRules {
        static func main() { Session(Arguments(CommandLine.arguments.dropFirst())).run() }
    }
#endif
