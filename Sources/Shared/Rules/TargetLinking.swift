import CarillonEvents

// What a rule's `notify` means in its workspace: endpoints and people that exist, each once, and not more than allowed.

/// Gives the rules of a workspace their targets.
struct TargetLinking {
    /// All endpoints named, the faulty too.
    let endpoints: [String: EndpointDraft]
    let people: PeopleDraft
    let limits: RuleLimits
    let workspace: String

    /// The targets of one rule while they are gathered.
    private struct Gathered {
        var targets: [String] = []
        var known: Set<String> = []
        var owner: [PeopleChannel] = []
        var overflow: [String: Overflow] = [:]
    }

    /// The rule with its targets; what is wrong with them is reported.
    func rule(_ draft: RuleDraft, _ findings: inout Findings) -> Rule {
        var gathered = Gathered()
        for target in draft.targets {
            switch target.kind {
            case .endpoint(let name):
                add(endpoint: name, for: draft.rule.events, target.place, to: &gathered, &findings)
            case .people(let channel, let names):
                limits.offer.check(channel.rawValue, for: draft.rule.events, at: target.place, &findings)
                let (targets, owner) = (gathered.targets.count, gathered.owner.count)
                for (name, place) in names { add(name, on: channel, place, to: &gathered, &findings) }
                guard let overflow = target.overflow else { continue }
                for added in gathered.targets[targets...] { gathered.overflow[added] = overflow }
                if gathered.owner.count > owner { gathered.overflow["\(channel)/\(Rule.ownerName)"] = overflow }
                for step in overflow.channels {
                    limits.offer.check(step.rawValue, for: draft.rule.events, at: target.place, &findings)
                }
            }
        }
        let limit = limits.targets(in: workspace)
        let count = gathered.targets.count + gathered.owner.count
        if count > limit {
            findings.report("rule '\(draft.rule.name)' has \(count) targets, the limit is \(limit)", at: draft.place)
        }
        if draft.rule.incident != nil, !gathered.targets.contains(where: { endpoints[$0]?.mayHaveIncidents ?? false }) {
            findings.report(
                "'incident' is for pagerduty, and rule '\(draft.rule.name)' names no such endpoint", at: draft.place)
        }
        check(groupOf: draft, gathered.targets, &findings)
        return draft.rule.with(targets: gathered.targets, owner: gathered.owner, overflow: gathered.overflow)
    }

    private func add(
        endpoint name: String, for events: [EventSelector], _ place: Place, to gathered: inout Gathered,
        _ findings: inout Findings
    ) {
        if endpoints[name] == nil {
            let isPerson = people.contacts(named: name) != nil
            let words =
                isPerson
                ? "; people are told on a channel: - mail: [\(name.shortened)]" : hint(name, endpoints.keys.sorted())
            findings.report("there is no endpoint '\(name.shortened)'\(words)", at: place)
        } else if !gathered.known.insert(name).inserted {
            findings.warn("endpoint '\(name)' is named twice and counts once", at: place)
        } else {
            if let kind = endpoints[name]?.spec?.kind { limits.offer.check(kind, for: events, at: place, &findings) }
            gathered.targets.append(name)
        }
    }

    private func add(
        _ name: String, on channel: PeopleChannel, _ place: Place, to gathered: inout Gathered,
        _ findings: inout Findings
    ) {
        if name == Rule.ownerName {
            if gathered.owner.contains(channel) {
                findings.warn("'$owner' is named twice on \(channel) and counts once", at: place)
            } else {
                gathered.owner.append(channel)
            }
            return
        }
        guard !name.hasPrefix("$") else {
            return findings.report(
                "'\(name.shortened)' means nobody; of an event's people there is '$owner'", at: place)
        }
        guard let contacts = people.contacts(named: name) else {
            let words =
                endpoints[name] != nil
                ? "; an endpoint stands alone in 'notify': - \(name.shortened)" : people.hint(for: name)
            return findings.report("there is no contact or group '\(name.shortened)'\(words)", at: place)
        }
        if contacts == [name], gathered.known.contains("\(channel)/\(name)") {
            findings.warn("'\(name.shortened)' is named twice on \(channel) and counts once", at: place)
        }
        for contact in contacts {
            add(contact: contact, of: name, on: channel, place, to: &gathered, &findings)
        }
    }

    private func add(
        contact name: String, of group: String, on channel: PeopleChannel, _ place: Place,
        to gathered: inout Gathered, _ findings: inout Findings
    ) {
        let target = "\(channel)/\(name)"
        // A contact at fault was told already.
        guard let contact = people.contacts[name]?.contact, gathered.known.insert(target).inserted else { return }
        let whose = "contact '\(name.shortened)'" + (group == name ? "" : " of '\(group.shortened)'")
        if let key = channel.key, contact.address(on: channel) == nil {
            findings.report(
                "\(whose) has no '\(key)', which \(channel) needs; add it, or choose another channel", at: place)
        }
        if !contact.isVerified { findings.warn("\(whose) is not verified; it is told all the same", at: place) }
        gathered.targets.append(target)
    }
}
