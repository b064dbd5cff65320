// swift-tools-version: 6.2
import PackageDescription

// Read from top to bottom: what others may embed, then the targets in the direction of the arrows.
// Everything points to Events; backends point to their contract; only composition roots point to a backend.

let package = Package(
    name: "carillon",
    products: [
        .executable(name: "carillon", targets: ["carillon"]),
        .executable(name: "carillon-bench", targets: ["carillon-bench"]),
        .library(name: "CarillonProducer", targets: ["CarillonProducer"]),
        .library(name: "CarillonStreamSQLite", targets: ["CarillonStreamSQLite"]),
        .library(name: "CarillonStreamKafka", targets: ["CarillonStreamKafka"]),
        .library(name: "CarillonKit", targets: ["CarillonKit"]),
        // The producer for C; `make library` links it as libcarillon.so, which needs no Swift.
        .library(name: "CarillonC", type: .dynamic, targets: ["CarillonC"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // System libraries: module maps and shims, no logic.
        .systemLibrary(
            name: "CSQLite", path: "Sources/C/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CCurl", path: "Sources/C/CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CPostgres", path: "Sources/C/CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "CKafka", path: "Sources/C/CKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CPlatform", path: "Sources/C/CPlatform"),
        // Ours, and the other way round: what C programs see of the producer.
        .systemLibrary(name: "CCarillon", path: "Sources/C/CCarillon"),

        // What a job event is.
        .target(name: "CarillonEvents", path: "Sources/Shared/Events"),
        // Locks, doorbells, clocks: what is Linux about Carillon.
        .target(
            name: "CarillonPlatform", dependencies: ["CarillonEvents", "CPlatform"], path: "Sources/Shared/Platform"),
        // Which events become which notifications. Pure.
        .target(
            name: "CarillonRules", dependencies: ["CarillonEvents", .product(name: "Yams", package: "Yams")],
            path: "Sources/Shared/Rules"),

        // The stream: contract, then backend.
        .target(name: "CarillonStream", dependencies: ["CarillonEvents"], path: "Sources/Shared/Stream"),
        .target(
            name: "CarillonSQLite", dependencies: ["CarillonPlatform", "CSQLite"], path: "Sources/Shared/SQLite"),
        .target(
            name: "CarillonStreamSQLite",
            dependencies: ["CarillonEvents", "CarillonPlatform", "CarillonStream", "CarillonSQLite"],
            path: "Sources/Shared/StreamSQLite"),
        .target(
            name: "CarillonStreamKafka",
            dependencies: ["CarillonEvents", "CarillonPlatform", "CarillonStream", "CKafka"],
            path: "Sources/Shared/StreamKafka"),

        // The ledger: contract, then backend.
        .target(
            name: "CarillonLedger",
            dependencies: [
                "CarillonEvents", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
            ], path: "Sources/Shared/Ledger"),
        .target(
            name: "CarillonLedgerSQLite",
            dependencies: ["CarillonEvents", "CarillonPlatform", "CarillonLedger", "CarillonSQLite"],
            path: "Sources/Shared/LedgerSQLite"),
        .target(name: "CarillonPostgres", dependencies: ["CPostgres"], path: "Sources/Shared/Postgres"),
        .target(
            name: "CarillonLedgerPostgres",
            dependencies: ["CarillonEvents", "CarillonLedger", "CarillonPostgres", "CPlatform"],
            path: "Sources/Shared/LedgerPostgres"),

        // Embedded in schedulers.
        .target(
            name: "CarillonProducer",
            dependencies: ["CarillonEvents", "CarillonPlatform", "CarillonStream", "CPlatform"],
            path: "Sources/Producer"),
        // The same for programs in C and whatever calls C. A composition root: it names backends.
        .target(
            name: "CarillonC",
            dependencies: [
                "CCarillon", "CarillonEvents", "CarillonPlatform", "CarillonProducer", "CarillonStream",
                "CarillonStreamKafka", "CarillonStreamSQLite",
            ], path: "Sources/CProducer"),

        // The path of an event.
        .target(
            name: "CarillonWorker",
            dependencies: [
                "CarillonEvents", "CarillonPlatform", "CarillonRules", "CarillonStream", "CarillonLedger", "CCurl",
                "CPlatform",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"), .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Sources/Worker"),
        .target(
            name: "CarillonServer",
            dependencies: [
                "CarillonEvents", "CarillonLedger", "CarillonStream",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"), .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], path: "Sources/Server"),

        // What people ask of stream and ledger: why, what is missing, does it add up.
        .target(
            name: "CarillonAnswers",
            dependencies: [
                "CarillonEvents", "CarillonRules", "CarillonStream", "CarillonLedger", "CarillonWorker",
                .product(name: "Logging", package: "swift-log"),
            ], path: "Sources/Answers"),

        // Fakes, for our tests and for those of embedders.
        .target(
            name: "CarillonKit", dependencies: ["CarillonEvents", "CarillonStream", "CarillonLedger"],
            path: "Sources/Kit"),

        // Composition roots.
        .executableTarget(
            name: "carillon",
            dependencies: [
                "CarillonAnswers", "CarillonEvents", "CarillonPlatform", "CarillonRules", "CarillonStream",
                "CarillonStreamKafka",
                "CarillonStreamSQLite", "CarillonLedger",
                "CarillonLedgerSQLite", "CarillonLedgerPostgres", "CarillonProducer", "CarillonWorker",
                "CarillonServer", "CarillonSQLite",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"), .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Yams", package: "Yams"),
            ], path: "Sources/CLI"),
        .target(name: "CMallocCount", path: "Benchmarks/malloc-count"),
        .executableTarget(
            name: "carillon-bench",
            dependencies: [
                "CMallocCount",
                "CarillonAnswers", "CarillonEvents", "CarillonPlatform", "CarillonRules", "CarillonStream",
                "CarillonStreamKafka",
                "CarillonStreamSQLite",
                "CarillonLedger", "CarillonLedgerPostgres",
                "CarillonLedgerSQLite", "CarillonProducer", "CarillonWorker", "CarillonSQLite",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], path: "Benchmarks/carillon-bench"),
        .executableTarget(
            name: "example-scheduler",
            dependencies: [
                "CarillonEvents", "CarillonPlatform", "CarillonProducer", "CarillonStream", "CarillonStreamSQLite",
            ],
            path: "examples/embedded"),
        // Tests, a target for each module; the long forms are targets of their own.
        .testTarget(name: "EventsTests", dependencies: ["CarillonEvents", "CarillonKit"]),
        .testTarget(
            name: "RulesTests", dependencies: ["CarillonEvents", "CarillonRules", "CarillonKit"],
            exclude: ["Oracle", "Fixtures"]),
        .testTarget(name: "PatternTests", dependencies: ["CarillonEvents", "CarillonRules", "CarillonKit"]),
        .testTarget(
            name: "TemplateTests", dependencies: ["CarillonEvents", "CarillonRules"], exclude: ["Oracle", "Fixtures"]),
        .testTarget(
            name: "StreamTests",
            dependencies: [
                "CarillonEvents", "CarillonStream", "CarillonStreamKafka", "CarillonStreamSQLite", "CarillonSQLite",
                "CarillonKit", "CKafka", "KafkaCluster", "kafka-mock", "stream-probe",
            ], exclude: ["Interop"]),
        // Another process for the stream's tests.
        .executableTarget(
            name: "stream-probe", dependencies: ["CarillonEvents", "CarillonStream", "CarillonStreamSQLite"],
            path: "Tests/Tools/StreamProbe"),
        // A worker process of the test of quotas.
        .executableTarget(
            name: "quota-probe",
            dependencies: [
                "CarillonEvents", "CarillonPlatform", "CarillonLedger", "CarillonLedgerSQLite",
                "CarillonLedgerPostgres",
            ], path: "Tests/Tools/QuotaProbe"),
        // A PostgreSQL server for the tests of those who use one.
        .target(
            name: "PostgresServer", dependencies: ["CarillonKit", "CarillonPostgres"],
            path: "Tests/Tools/PostgresServer"),
        // A Kafka cluster that fails when it is told to, and what starts it for tests.
        .executableTarget(name: "kafka-mock", dependencies: ["CKafka"], path: "Tests/Tools/KafkaMock"),
        .target(name: "KafkaCluster", dependencies: ["CarillonKit"], path: "Tests/Tools/KafkaCluster"),
        .testTarget(
            name: "LedgerTests",
            dependencies: [
                "CarillonEvents", "CarillonLedger", "CarillonLedgerSQLite", "CarillonLedgerPostgres",
                "CarillonPostgres",
                "CarillonSQLite", "CarillonKit", "PostgresServer", "quota-probe",
            ]),
        .testTarget(
            name: "ProducerTests",
            dependencies: ["CarillonEvents", "CarillonPlatform", "CarillonStream", "CarillonProducer", "CarillonKit"]),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "CarillonEvents", "CarillonPlatform", "CarillonRules", "CarillonStream", "CarillonLedger",
                "CarillonLedgerSQLite", "CarillonWorker", "CarillonKit",
            ], exclude: ["Peers"]),
        .testTarget(
            name: "ChannelTests",
            dependencies: ["CarillonEvents", "CarillonRules", "CarillonLedger", "CarillonWorker", "CarillonKit"],
            exclude: ["Doubles", "Fixtures"]),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "CarillonEvents", "CarillonRules", "CarillonStream", "CarillonLedger", "CarillonLedgerSQLite",
                "CarillonSQLite", "CarillonWorker", "CarillonKit", .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "CarillonEvents", "CarillonPlatform", "CarillonLedger", "CarillonStream", "CarillonServer",
                "CarillonKit",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "AnswersTests",
            dependencies: [
                "CarillonAnswers", "CarillonEvents", "CarillonRules", "CarillonStream", "CarillonStreamSQLite",
                "CarillonLedger", "CarillonLedgerSQLite", "CarillonWorker", "CarillonKit",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "carillon", "CarillonKit", "CarillonEvents", "CarillonPlatform", "CarillonLedger", "CarillonRules",
                "CarillonWorker", "CarillonServer", "CarillonSQLite", "kafka-mock",
                .product(name: "Yams", package: "Yams"),
            ], exclude: ["Fixtures"]),
        .testTarget(
            name: "CrashTests",
            dependencies: [
                "carillon", "CarillonEvents", "CarillonLedger", "CarillonPlatform", "CarillonSQLite", "CarillonKit",
                "CarillonPostgres", "CarillonStream", "CarillonStreamKafka", "KafkaCluster", "PostgresServer",
                "kafka-mock",
            ]),
        .testTarget(name: "TidyTests"),
        // What others wrote, fed to everything that reads it: `Tests/Fuzz/run`.
        .executableTarget(
            name: "fuzz-rules", dependencies: ["CarillonEvents", "CarillonRules", "CarillonWorker"], path: "Tests/Fuzz",
            exclude: ["Corpus", "dictionary", "run"]),
    ]
)

// One list of settings for every target, each line with its reason.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),  // dynamic dispatch is visible
    .enableUpcomingFeature("InternalImportsByDefault"),  // no import leaks into our API
    .enableUpcomingFeature("MemberImportVisibility"),  // a file says what it uses
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // async stays where it was called
    .strictMemorySafety(),  // every crossing into C says `unsafe`
]
for target in package.targets where target.type != .system { target.swiftSettings = strict }
