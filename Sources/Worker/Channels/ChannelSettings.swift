/// What the deployment says of one channel in `channels:`.
///
/// A channel that is not there is not offered.
public struct ChannelSettings: Sendable {
    /// The scalars by their keys; what a `*_file` form named stands here already read, under the plain name.
    public var values: [String: String]
    /// Which event sources may use it; `nil` for all.
    public var events: [String]?
    /// In which regions it may be used; `nil` for all.
    public var regions: [String]?

    /// Makes settings.
    public init(values: [String: String] = [:], events: [String]? = nil, regions: [String]? = nil) {
        (self.values, self.events, self.regions) = (values, events, regions)
    }
}

/// What is wrong with the settings of a channel; never shows a value that may be secret.
public struct ChannelSettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The channel.
    public let channel: String
    /// The key it is about.
    public let key: String
    /// What is wrong with it.
    public let problem: String

    /// Makes one.
    public init(_ channel: String, _ key: String, _ problem: String) {
        (self.channel, self.key, self.problem) = (channel, key, problem)
    }

    /// The key and what is wrong with it.
    public var description: String { "worker could not read channels.\(channel).\(key): \(problem)" }
}
