import ArgumentParser
import CarillonEvents
import CarillonPlatform
import Foundation

/// The options of every command: which deployment it is about.
struct Deployment: ParsableArguments {
    @Option(name: .customLong("config"), help: "The configuration file.", completion: .file())
    var file: String?

    @Option(help: "The folder for data.", completion: .directory)
    var home: String?

    @Option(
        name: .customLong("set"), help: ArgumentHelp("Overrides a key of the configuration.", valueName: "key=value"))
    var settings: [String] = []

    /// Reads the configuration these options name.
    func configuration(_ extra: [(key: String, value: String)] = []) throws -> Configuration {
        var sources = ConfigurationSources(file: file, home: home)
        for setting in settings {
            guard let equals = setting.firstIndex(of: "=") else {
                throw Failure.usage("--set \(setting): write KEY=VALUE, such as --set stream.retention=3d")
            }
            sources.flags.append((String(setting[..<equals]), String(setting[setting.index(after: equals)...])))
        }
        sources.flags += extra
        return try sources.load()
    }
}

/// The wall clock commands stamp and compare with.
let clock: any Clock = SystemClock()

/// A moment on the command line: RFC 3339, or how long ago.
struct Moment: ExpressibleByArgument {
    let timestamp: Timestamp

    init?(argument: String) {
        if let moment = Timestamp(rfc3339: argument) {
            timestamp = moment
        } else if let ago = Duration(text: argument) {
            timestamp = clock.now() - ago
        } else {
            return nil
        }
    }
}
