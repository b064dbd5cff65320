import CarillonRules

/// What the rules of many workspaces take, and a change of one of them.
struct MatchWorkspaces {
    let workspaces: Int
    let rules: Int

    /// Reads and compiles all documents, then changes one workspace after another, and tells what it took as one JSON
    /// line.
    func measure(changes: Int) throws -> String {
        let memory = MatchCost.resident()
        let loading = Meter()
        var all: [WorkspaceRules] = []
        all.reserveCapacity(workspaces)
        for number in 0..<workspaces { all += load(number, edition: 0) }
        var book = RuleBook(revision: 1, workspaces: all)
        all = []
        let loaded = loading.taken().cpuMicroseconds
        let bytes = MatchCost.resident() - memory
        var times: [Double] = []
        for change in 0..<changes {
            let swapping = Meter()
            let changed = load(change * workspaces / changes, edition: 1)
            book = book.replacing(
                Dictionary(changed.map { ($0.workspace, $0) }, uniquingKeysWith: { first, _ in first }),
                revision: book.revision + 1)
            times.append(swapping.taken().wallMicroseconds)
        }
        times.sort()
        return """
            {"workspaces":\(book.workspaces.count),"rules":\(workspaces * rules),"load_ms":\(loaded / 1_000),\
            "mib":\(bytes >> 20),"bytes_per_rule":\(bytes / max(workspaces * rules, 1)),\
            "change_ms":{"median":\(times[times.count / 2] / 1_000),"worst":\(times[times.count - 1] / 1_000)}}
            """
    }

    private func load(_ number: Int, edition: Int) -> [WorkspaceRules] {
        var text = """
            version: 1
            workspace: ws-\(number)
            endpoints:
              hook: {kind: webhook, url: "https://ops-\(number).example.com/alerts", secret: {secret: hook-key}}
            rules:

            """
        for rule in 0..<rules {
            let more =
                switch rule % 5 {
                case 0: "pattern: {data: {final: [true], labels: {team: [team-\(rule), vision]}}}"
                case 1: "pattern: {data: {name: [{prefix: train-\(edition)-}], attempt: [{numeric: ['>', \(rule)]}]}}"
                case 2: "scope: {owner: user-\(rule)}"
                case 3: "pattern: {data: {reason: [OOMKilled, {wildcard: '*\(rule)*'}]}}"
                default: "severity: critical"
                }
            text += "  - {name: rule-\(rule), events: [job.failed, job.timeout], notify: [hook], \(more)}\n"
        }
        return RuleDocuments.load([(file: "ws-\(number).yaml", text: text)]).workspaces
    }
}
