// Cases of DocumentTests: dedup windows, and every problem that is told, with its line and column.

extension DocumentCase {
    /// A line of a rule, at line 9, column 5.
    static let windows: [DocumentCase] = [
        .init("a dedup window names fields and a span", "dedup: {by: [subject, data.version], within: 10m}", []),
        .init(
            "a dedup window is a mapping", "dedup: 10m",
            ["9:12: a dedup window is a mapping, not a single value"]),
        .init(
            "a dedup window needs both", "dedup: {}",
            ["9:12: a dedup window needs 'by'", "9:12: a dedup window needs 'within'"]),
        .init(
            "a dedup window knows its keys", "dedup: {by: [subject], within: 10m, every: 1h}",
            ["9:41: unknown key 'every' in a dedup window"]),
        .init(
            "a misspelt key is told once", "dedup: {by: [subject], withn: 10m}",
            ["9:28: unknown key 'withn' in a dedup window; did you mean 'within'?"]),
        .init(
            "by is a list", "dedup: {by: subject, within: 10m}",
            ["9:17: 'by' is a list, such as [a, b], not a single value"]),
        .init(
            "by names something", "dedup: {by: [], within: 10m}",
            [
                "9:17: 'by' is empty; name what tells events apart, such as subject, or workspace for one window in all"
            ]),
        .init(
            "a field of by is text", "dedup: {by: [{data: node}], within: 10m}",
            ["9:18: a field is text, not a mapping"]),
        .init(
            "a field of by has no empty names", "dedup: {by: [subject, data..node, .x, y., ''], within: 10m}",
            [
                "9:27: the field 'data..node' has an empty name; write names with dots between, such as data.version",
                "9:39: the field '.x' has an empty name; write names with dots between, such as data.version",
                "9:43: the field 'y.' has an empty name; write names with dots between, such as data.version",
                "9:47: the field '' has an empty name; write names with dots between, such as data.version",
            ]),
        .init(
            "a field of by is no longer than 256 bytes",
            "dedup: {by: [\(String(repeating: "x", count: 257))], within: 10m}",
            ["9:18: the field '\(String(repeating: "x", count: 60))…' is longer than 256 bytes"]),
        .init(
            "a field of by has no control character", "dedup: {by: [\"a\\tb\"], within: 10m}",
            ["9:18: the field 'a?b' has a control character"]),
        .init(
            "a field that stands twice counts once, with a warning", "dedup: {by: [subject, subject], within: 10m}",
            ["9:27: warning: the field 'subject' stands twice and counts once"]),
        .init(
            "a field of the data without data is warned of, as no event has such an attribute",
            "dedup: {by: [subject, node, labels.team], within: 10m}",
            [
                "9:27: warning: 'node' is no attribute of an event; did you mean 'data.node'?",
                "9:33: warning: 'labels.team' is no attribute of an event; did you mean 'data.labels.team'?",
            ]),
        .init(
            "by names at most 16 fields",
            "dedup: {by: [\((0..<17).map { "a\($0)" }.joined(separator: ", "))], within: 10m}",
            ["9:17: 'by' names at most 16 fields, not 17"]),
        .init("a window of a second and of thirty days", "dedup: {by: [a], within: 1s}", []),
        .init("a window of thirty days", "dedup: {by: [a], within: 30d}", []),
        .init(
            "a window is at least a second", "dedup: {by: [a], within: 0s}",
            ["9:30: 'within' is between 1s and 30d, not 0s"]),
        .init(
            "a window is at most thirty days", "dedup: {by: [a], within: 31d}",
            ["9:30: 'within' is between 1s and 30d, not 31d"]),
        .init(
            "a window is a duration", "dedup: {by: [a], within: 10}",
            ["9:30: 'within' is a duration such as 30s, 10m, 6h, 7d or 1h30m, not '10'"]),
    ]
}
