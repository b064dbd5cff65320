// Reading `contacts:` and `groups:`. One alone is read here; what they say of each other is checked with the workspace, in
// `PeopleDraft`.

/// A contact as its document has it.
struct ContactDraft {
    let name: String
    let place: Place
    /// `nil` when something in it was reported.
    let contact: Contact?
    let aliases: [(name: String, place: Place)]
    /// The limits it sets itself.
    var quota: [(channel: PeopleChannel, limit: QuotaLimit, place: Place)] = []
}

/// A group as its document has it.
struct GroupDraft {
    let name: String
    let place: Place
    let members: [(name: String, place: Place)]
}

/// Reads the contacts of one document, in its order.
func contactDrafts(_ tree: Tree, _ findings: inout Findings) -> [ContactDraft] {
    guard case .mapping(let pairs) = tree.content else {
        findings.report("'contacts' is a mapping of names to contacts, not \(tree.kind)", at: tree.place)
        return []
    }
    return keyed(pairs, &findings).map { key, value in
        let fault = personNameFault("a contact", key.name)
        if let fault { findings.report(fault, at: key.place) }
        let reading = ContactReading(name: key.name, place: key.place)
        let draft = reading.draft(value, &findings)
        return fault == nil
            ? draft
            : ContactDraft(name: draft.name, place: draft.place, contact: nil, aliases: draft.aliases)
    }
}

/// Reads the groups of one document, in its order.
func groupDrafts(_ tree: Tree, _ findings: inout Findings) -> [GroupDraft] {
    guard case .mapping(let pairs) = tree.content else {
        findings.report("'groups' is a mapping of names to lists of contacts, not \(tree.kind)", at: tree.place)
        return []
    }
    return keyed(pairs, &findings).map { key, value in
        if let fault = personNameFault("a group", key.name) { findings.report(fault, at: key.place) }
        let items = value.list("group '\(key.name.shortened)'", &findings) ?? []
        if case .list(let all) = value.content, all.isEmpty {
            findings.report("group '\(key.name.shortened)' is empty; name contacts or groups", at: key.place)
        }
        let members = items.compactMap { item in
            item.text("a member of a group", &findings).map { (name: $0, place: item.place) }
        }
        return GroupDraft(name: key.name, place: key.place, members: members)
    }
}

/// What is wrong with the name of a contact or a group; `nil` when nothing is.
private func personNameFault(_ what: String, _ name: String) -> String? {
    if let fault = nameFault(name) { return "\(what)'s name \(fault)" }
    if name.hasPrefix("$") { return "\(what)'s name does not begin with '$', which stands for people of an event" }
    if name.contains("/") { return "\(what)'s name has no '/', which parts channel and contact in lists" }
    if (ChannelNames.people + ChannelNames.kinds).contains(name) {
        return "'\(name)' is the name of a channel; \(what) needs another"
    }
    return nil
}

private struct ContactReading {
    let name: String
    let place: Place

    private static let mostAliases = 64
    private static let vocabulary = Vocabulary(
        "a contact", known: ["mail", "phone", "zone", "quiet", "aliases", "prefer", "quota", "verified"],
        later: [
            "dingtalk": "people on DingTalk", "feishu": "people on Feishu",
            "wecom": "people on WeCom", "slack": "people on Slack",
        ])

    func draft(_ tree: Tree, _ findings: inout Findings) -> ContactDraft {
        guard let fields = Fields(tree, Self.vocabulary, &findings) else {
            return ContactDraft(name: name, place: place, contact: nil, aliases: [])
        }
        let mail = fields["mail"].map { address("mail address", $0, MailAddress.fault, &findings) }
        let phone = fields["phone"].map { address("phone number", $0, PhoneNumber.fault, &findings) }
        let lacksZone = findings.areApplied && fields["zone"]?.scalar.map { Zone.named($0.text) == nil } ?? false
        if lacksZone {
            findings.warn(
                "this machine does not know the zone of '\(name.shortened)', whose quiet hours do not hold here; "
                    + "install its zone database (the package tzdata)", at: fields.place(of: "zone"))
        }
        let zone = lacksZone ? nil : fields["zone"].map { self.zone($0, &findings) }
        let quiet = lacksZone ? nil : fields["quiet"].map { self.quiet($0, zone, &findings) }
        let aliases = fields["aliases"].map { self.aliases($0, &findings) } ?? []
        let prefer = fields["prefer"].map { self.prefer($0, mail: mail != nil, phone: phone != nil, &findings) }
        let quota = fields["quota"].map { self.quota($0, mail: mail != nil, phone: phone != nil, &findings) } ?? []
        let verified = fields["verified"].map { $0.bool("'verified'", &findings) } ?? true
        var contact: Contact?
        if let verified, mail != .some(nil), phone != .some(nil), zone != .some(nil), quiet != .some(nil),
            prefer != .some(nil), let quota
        {
            contact = Contact(
                name: name, mail: mail.flatMap(\.self), phone: phone.flatMap(\.self), zone: zone.flatMap(\.self),
                quiet: quiet.flatMap(\.self), aliases: aliases.map(\.name), prefer: prefer.flatMap(\.self) ?? [],
                quota: Dictionary(grouping: quota, by: \.channel).mapValues { $0.map(\.limit) },
                isVerified: verified, file: place.source.file, line: place.line)
        }
        return ContactDraft(name: name, place: place, contact: contact, aliases: aliases, quota: quota ?? [])
    }

    /// Reads `{sms: [3/15m, 20/1d]}`; `nil` when something in it was reported.
    private func quota(
        _ tree: Tree, mail: Bool, phone: Bool, _ findings: inout Findings
    ) -> [(channel: PeopleChannel, limit: QuotaLimit, place: Place)]? {
        guard case .mapping(let pairs) = tree.content else {
            findings.report(
                "'quota' is a mapping of channels to limits such as [3/15m], not \(tree.kind)", at: tree.place)
            return nil
        }
        var limits: [(channel: PeopleChannel, limit: QuotaLimit, place: Place)] = []
        var isFine = true
        for (key, value) in keyed(pairs, &findings) {
            guard let channel = PeopleChannel(rawValue: key.name) else {
                let words = hint(key.name, PeopleChannel.allCases.map(\.rawValue))
                findings.report("'\(key.name.shortened)' is no channel of people\(words)", at: key.place)
                isFine = false
                continue
            }
            if let address = channel.key, !(address == "mail" ? mail : phone) {
                findings.report("contact '\(name.shortened)' limits \(channel) and has no '\(address)'", at: key.place)
                isFine = false
            }
            guard let own = value.limits("the quota of \(channel)", &findings) else {
                isFine = false
                continue
            }
            limits += own.map { (channel, $0.limit, $0.place) }
        }
        return isFine ? limits : nil
    }

    private func address(
        _ what: String, _ tree: Tree, _ fault: (String) -> String?, _ findings: inout Findings
    ) -> String? {
        guard let text = tree.text("the \(what)", &findings) else { return nil }
        guard let fault = fault(text) else { return text }
        findings.report("the \(what) '\(text.shortened)' \(fault)", at: tree.place)
        return nil
    }

    private func zone(_ tree: Tree, _ findings: inout Findings) -> Zone? {
        guard let text = tree.text("'zone'", &findings) else { return nil }
        if let zone = Zone.named(text) { return zone }
        let remedy =
            Zone.hasDatabase
            ? "; name one of the IANA's, such as Asia/Shanghai or UTC"
            : " this machine knows; install its zone database (the package tzdata)"
        findings.report("'\(text.shortened)' is no time zone\(remedy)", at: tree.place)
        return nil
    }

    private func quiet(_ tree: Tree, _ zone: Zone??, _ findings: inout Findings) -> QuietHours? {
        guard let text = tree.text("'quiet'", &findings) else { return nil }
        guard let (from, to) = QuietHours.minutes(text) else {
            findings.report(
                "'quiet' is two times of a day that differ, such as \"22:00-07:00\", not '\(text.shortened)'",
                at: tree.place)
            return nil
        }
        if zone == nil {
            findings.warn(
                "quiet hours without 'zone' are those of UTC; add a zone, such as Asia/Shanghai", at: tree.place)
        }
        // A zone at fault was told already.
        guard let zone = zone ?? Zone.named("UTC") else { return nil }
        return QuietHours(from: from, to: to, zone: zone)
    }

    private func aliases(_ tree: Tree, _ findings: inout Findings) -> [(name: String, place: Place)] {
        guard let items = tree.list("'aliases'", &findings) else { return [] }
        if items.count > Self.mostAliases {
            findings.report("a contact has at most \(Self.mostAliases) aliases, not \(items.count)", at: tree.place)
            return []
        }
        return items.compactMap { item in item.name("an alias", &findings).map { ($0, item.place) } }
    }

    private func prefer(
        _ tree: Tree, mail: Bool, phone: Bool, _ findings: inout Findings
    ) -> [PeopleChannel]? {
        guard let items = tree.list("'prefer'", &findings) else { return nil }
        var channels: [PeopleChannel] = []
        for item in items {
            guard let channel = item.word("a preferred channel", as: PeopleChannel.self, &findings) else { return nil }
            if let key = channel.key, !(key == "mail" ? mail : phone) {
                findings.report("contact '\(name.shortened)' prefers \(channel) and has no '\(key)'", at: item.place)
                return nil
            }
            if channels.contains(channel) {
                findings.warn("'\(channel)' stands twice and counts once", at: item.place)
            } else {
                channels.append(channel)
            }
        }
        return channels
    }
}
