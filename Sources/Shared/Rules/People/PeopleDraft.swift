// The contacts and groups of a workspace together: who is who, and who is in which group.

/// The people of a workspace while its documents are put together.
struct PeopleDraft {
    /// How many contacts a group may come to: no rule may have more targets.
    static let mostMembers = 100
    /// How deep groups may stand in groups.
    static let deepest = 16

    /// All contacts named, the faulty too, so that a fault is told once and not again by each rule.
    private(set) var contacts: [String: ContactDraft] = [:]
    private var groups: [String: GroupDraft] = [:]
    private var order: [String] = []
    private var groupOrder: [String] = []
    /// The contacts of each group; empty for one at fault.
    private var members: [String: [String]] = [:]

    mutating func add(_ contacts: [ContactDraft], _ groups: [GroupDraft], _ findings: inout Findings) {
        for contact in contacts where isNew(contact.name, "contact", contact.place, &findings) {
            self.contacts[contact.name] = contact
            order.append(contact.name)
        }
        for group in groups where isNew(group.name, "group", group.place, &findings) {
            self.groups[group.name] = group
            groupOrder.append(group.name)
        }
    }

    private func isNew(_ name: String, _ what: String, _ place: Place, _ findings: inout Findings) -> Bool {
        let contact = contacts[name].map { (what: "contact", place: $0.place) }
        guard let known = contact ?? groups[name].map({ (what: "group", place: $0.place) }) else { return true }
        findings.report(
            known.what == what
                ? "\(what) '\(name.shortened)' stands already at \(known.place.shown)"
                : "'\(name.shortened)' is a \(known.what) at \(known.place.shown); a \(what) needs another name",
            at: place)
        return false
    }

    /// Checks what contacts and groups say of each other.
    mutating func link(_ findings: inout Findings) {
        checkAliases(&findings)
        for name in groupOrder { _ = expand(name, below: [], &findings) }
    }

    /// Checks that contacts want no more than the deployment's ceilings let through.
    func check(_ ceilings: QuotaCeilings, of workspace: String, _ findings: inout Findings) {
        for name in order {
            for (channel, limit, place) in contacts[name]?.quota ?? [] {
                ceilings.check([(limit, place)], on: channel.rawValue, of: workspace, &findings)
            }
        }
    }

    /// The compiled people.
    func people(of workspace: String) -> People {
        People(order.compactMap { contacts[$0]?.contact }, groups: members, of: workspace)
    }

    /// The name that was probably meant; nothing where looking for it would take long.
    func hint(for name: String) -> String {
        order.count + groupOrder.count > 1000 ? "" : CarillonRules.hint(name, (order + groupOrder).sorted())
    }

    /// The contacts a name in `notify` stands for: one, or a group's; `nil` when nobody has the name.
    func contacts(named name: String) -> [String]? { contacts[name] != nil ? [name] : members[name] }

    private func checkAliases(_ findings: inout Findings) {
        var taken: [String: (contact: String, place: Place)] = [:]
        for name in order {
            for alias in contacts[name]?.aliases ?? [] {
                if let other = contacts[alias.name] {
                    let whose = other.name == name ? "the contact's own" : "a contact's at \(other.place.shown)"
                    findings.report("the alias '\(alias.name.shortened)' is \(whose) name", at: alias.place)
                } else if let other = taken.updateValue((name, alias.place), forKey: alias.name) {
                    findings.report(
                        "the alias '\(alias.name.shortened)' is that of contact '\(other.contact.shortened)' at "
                            + "\(other.place.shown) already; an owner has to be one person", at: alias.place)
                }
            }
        }
    }

    /// The contacts of a group, each once, in the order in which they are named.
    ///
    /// - Parameter above: the groups it stands in, from the outermost.
    private mutating func expand(_ name: String, below above: [String], _ findings: inout Findings) -> [String] {
        if let known = members[name] { return known }
        guard let group = groups[name] else { return [] }
        members[name] = []
        var found: [String] = []
        var seen: Set<String> = []
        for member in group.members {
            for contact in expand(member, of: name, below: above, &findings) where seen.insert(contact).inserted {
                found.append(contact)
            }
            guard found.count <= Self.mostMembers else {
                findings.report(
                    "group '\(name.shortened)' has more than \(Self.mostMembers) contacts, and no rule may have as many "
                        + "targets", at: group.place)
                return []
            }
        }
        members[name] = found
        return found
    }

    private mutating func expand(
        _ member: (name: String, place: Place), of group: String, below above: [String], _ findings: inout Findings
    ) -> [String] {
        let path = above + [group]
        if contacts[member.name] != nil { return [member.name] }
        guard groups[member.name] != nil else {
            let words =
                member.name.hasPrefix("$")
                ? "; people of an event stand in 'notify' only" : hint(for: member.name)
            findings.report("there is no contact or group '\(member.name.shortened)'\(words)", at: member.place)
            return []
        }
        if let start = path.firstIndex(of: member.name) {
            let way = (path[start...] + [member.name]).map(\.shortened).joined(separator: " → ")
            findings.report("group '\(member.name.shortened)' is in itself: \(way)", at: member.place)
            return []
        }
        guard path.count < Self.deepest else {
            findings.report("groups stand at most \(Self.deepest) deep in groups", at: member.place)
            return []
        }
        return expand(member.name, below: path, &findings)
    }
}
