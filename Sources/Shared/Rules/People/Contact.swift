public import CarillonEvents

// People. A contact is a name with addresses; what a delivery names is `channel/contact` and never the address, so a
// new address is the same target and an address shows in no list.

/// The channels that reach people.
public enum PeopleChannel: String, Sendable, CaseIterable {
    case mail, sms, inbox, voice

    /// The key of a contact's address on it; `nil` where the contact itself is the address.
    public var key: String? {
        switch self {
        case .mail: "mail"
        case .sms, .voice: "phone"
        case .inbox: nil
        }
    }
    /// Those this build sends on.
    static let built: [PeopleChannel] = [.mail, .sms, .inbox]
}

/// Somebody who may be told.
public final class Contact: Sendable {
    /// The name, unique in the workspace among contacts and groups.
    public let name: String
    /// Addresses, checked; a phone number is E.164.
    public let mail, phone: String?
    /// Where the contact lives.
    public let zone: Zone?
    /// When the contact is not to be disturbed.
    public let quiet: QuietHours?
    /// Other names by which events call the contact.
    public let aliases: [String]
    /// Channels, the dearest first.
    public let prefer: [PeopleChannel]
    /// How many messages the contact wants at most, by channel; the deployment's ceilings hold beside it.
    public let quota: [PeopleChannel: [QuotaLimit]]
    /// Whether the document does not say that nobody has confirmed the addresses.
    public let isVerified: Bool
    /// Where it stands.
    public let file: String
    /// Its line in `file`, from 1.
    public let line: Int

    /// Makes a contact from parts the caller has checked.
    init(
        name: String, mail: String? = nil, phone: String? = nil, zone: Zone? = nil, quiet: QuietHours? = nil,
        aliases: [String] = [], prefer: [PeopleChannel] = [], quota: [PeopleChannel: [QuotaLimit]] = [:],
        isVerified: Bool = true, file: String = "", line: Int = 0
    ) {
        self.quota = quota
        (self.name, self.mail, self.phone, self.zone, self.quiet) = (name, mail, phone, zone, quiet)
        (self.aliases, self.prefer, self.isVerified, self.file, self.line) = (aliases, prefer, isVerified, file, line)
    }

    /// The address on a channel as the document has it; `nil` when the contact has none.
    public func address(on channel: PeopleChannel) -> String? {
        switch channel {
        case .mail: mail
        case .sms, .voice: phone
        case .inbox: name
        }
    }
}

/// A contact on one channel: what a target about people stands for.
public struct Reach: Sendable {
    /// `channel/contact`: the target's name in deliveries.
    public let target: String
    /// The channel.
    public let channel: PeopleChannel
    /// The contact.
    public let contact: Contact
    /// Where it goes: an address of mail, a number in E.164, or the contact's name for the inbox.
    public let address: String
    /// The same for everything that reaches the same address on the same channel, over all workspaces.
    public let copy: String

    init?(_ contact: Contact, on channel: PeopleChannel, of workspace: String) {
        guard let address = contact.address(on: channel) else { return nil }
        (self.channel, self.contact, self.address) = (channel, contact, address)
        target = "\(channel.rawValue)/\(contact.name)"
        copy =
            channel == .inbox
            ? "\(channel.rawValue) \(workspace)/\(address)" : "\(channel.rawValue) \(address.lowercased())"
    }

    /// When a delivery to the contact may be sent, if not now; the inbox disturbs nobody.
    public func quietEnd(at now: Timestamp) -> Timestamp? {
        channel == .inbox ? nil : contact.quiet?.end(at: now)
    }
}

/// The contacts of a workspace and how they are found.
struct People: Sendable {
    let contacts: [String: Contact]
    /// The members of each group by its name, expanded.
    let groups: [String: [String]]
    private let owners: [String: Contact]
    private let reaches: [String: Reach]

    init(_ contacts: [Contact] = [], groups: [String: [String]] = [:], of workspace: String = "") {
        self.groups = groups
        self.contacts = Dictionary(contacts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var owners = self.contacts
        var reaches: [String: Reach] = [:]
        for contact in contacts {
            for alias in contact.aliases where owners[alias] == nil { owners[alias] = contact }
            for channel in PeopleChannel.allCases {
                guard let reach = Reach(contact, on: channel, of: workspace) else { continue }
                reaches[reach.target] = reach
            }
        }
        (self.owners, self.reaches) = (owners, reaches)
    }

    func reach(_ target: String) -> Reach? { reaches.isEmpty ? nil : reaches[target] }

    func owner(_ name: String) -> Contact? { owners[name] }

    /// All targets of one channel.
    func targets(on channel: PeopleChannel) -> Set<String> {
        Set(reaches.values.lazy.filter { $0.channel == channel }.map(\.target))
    }
}
