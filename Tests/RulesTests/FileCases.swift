// Cases of DocumentTests: what is written, and every problem that is told, with its line and column.

extension DocumentCase {
    /// Whole files.
    static let files: [DocumentCase] = [
        .init(
            "an empty file is no way to say that there are no rules", "",
            ["1:1: the file holds no document; begin one with 'version: 1', or remove the file"]),
        .init(
            "nor is a file of comments", "# nothing\n",
            ["1:1: the file holds no document; begin one with 'version: 1', or remove the file"]),
        .init(
            "an empty document is told",
            "---\n---\n",
            [
                "2:1: the document is empty",
                "3:1: the document is empty",
            ]),
        .init(
            "a document is a mapping",
            "- version: 1\n",
            [
                "1:1: a rule document is a mapping, not a list"
            ]),
        .init(
            "a text is no document",
            "hello\n",
            [
                "1:1: a rule document is a mapping, not a single value"
            ]),
        .init(
            "a document without a version is not read further",
            "rules: []\n",
            [
                "1:1: a rule document needs 'version'"
            ]),
        .init(
            "a document needs a version",
            "workspace: w\n",
            [
                "1:1: a rule document needs 'version'"
            ]),
        .init(
            "another version is refused",
            "version: 2\nworkspace: w\n",
            [
                "1:10: 'version' is the number 1 in this build, not '2'"
            ]),
        .init(
            "a version in quotes is refused",
            "version: '1'\nworkspace: w\n",
            [
                "1:10: 'version' is the number 1 in this build, not '1'"
            ]),
        .init(
            "a document needs a workspace",
            "version: 1\nrules: []\n",
            [
                "1:1: a rule document needs 'workspace'"
            ]),
        .init(
            "a workspace is not empty",
            "version: 1\nworkspace: ''\n",
            [
                "2:12: the workspace's name is empty"
            ]),
        .init(
            "a workspace is not nothing",
            "version: 1\nworkspace: ~\n",
            [
                "2:12: the workspace's name is text, not nothing"
            ]),
        .init(
            "a workspace has no control character",
            "version: 1\nworkspace: \"a\\nb\"\n",
            [
                "2:12: the workspace's name has a control character"
            ]),
        .init(
            "a workspace has at most 128 bytes",
            "version: 1\nworkspace: " + String(repeating: "w", count: 129) + "\n",
            [
                "2:12: the workspace's name is longer than 128 bytes"
            ]),
        .init(
            "the operator may write rules for every workspace", "version: 1\nworkspace: \"*\"\nrules: []\n", []),
        .init("a workspace without rules is fine", "version: 1\nworkspace: NO\n", []),
        .init(
            "contacts and groups are mappings",
            "version: 1\nworkspace: w\ncontacts: [alice]\ngroups: oncall\n",
            [
                "3:11: 'contacts' is a mapping of names to contacts, not a list",
                "4:9: 'groups' is a mapping of names to lists of contacts, not a single value",
            ]),
        .init(
            "an unknown section is refused",
            "version: 1\nworkspace: w\nrule: []\n",
            [
                "3:1: unknown key 'rule' in a rule document; did you mean 'rules'?"
            ]),
        .init(
            "rules is a list",
            "version: 1\nworkspace: w\nrules: {a: b}\n",
            [
                "3:8: 'rules' is a list, such as [a, b], not a mapping"
            ]),
        .init(
            "a rule is a mapping",
            "version: 1\nworkspace: w\nrules: [a]\n",
            [
                "3:9: a rule is a mapping, not a single value"
            ]),
        .init(
            "a rule needs name, events and notify",
            "version: 1\nworkspace: w\nrules:\n  - severity: info\n",
            [
                "4:5: a rule needs 'name'",
                "4:5: a rule needs 'events'",
                "4:5: a rule needs 'notify'",
            ]),
        .init(
            "a rule's name is not longer than 128 bytes",
            "version: 1\nworkspace: w\nrules:\n  - {name: " + String(repeating: "r", count: 129)
                + ", events: [a], notify: [h]}\n",
            [
                "4:12: a rule's name is longer than 128 bytes"
            ]),
        .init(
            "endpoints is a mapping",
            "version: 1\nworkspace: w\nendpoints: [a]\n",
            [
                "3:12: 'endpoints' is a mapping of names to endpoints, not a list"
            ]),
        .init(
            "an endpoint has no name of a channel",
            "version: 1\nworkspace: w\nendpoints:\n  mail: {webhook: \"https://x.example\"}\n  slack: {webhook: \"https://x.example\"}\n",
            [
                "4:3: 'mail' is the name of a channel; an endpoint needs another",
                "5:3: 'slack' is the name of a channel; an endpoint needs another",
            ]),
        .init(
            "an endpoint's name begins with no dollar",
            "version: 1\nworkspace: w\nendpoints:\n  $owner: {webhook: \"https://x.example\"}\n",
            [
                "4:3: an endpoint's name does not begin with '$', which stands for people"
            ]),
        .init(
            "two rules of one name are refused",
            "version: 1\nworkspace: w\nendpoints: {h: {webhook: \"https://x.example\"}}\nrules:\n  - {name: a, events: [x], notify: [h]}\n  - {name: a, events: [y], notify: [h]}\n",
            [
                "6:6: rule 'a' stands already at f.yaml:5"
            ]),
        .init(
            "a name and another's id are one identity",
            "version: 1\nworkspace: w\nendpoints: {h: {webhook: \"https://x.example\"}}\nrules:\n  - {name: a, events: [x], notify: [h]}\n  - {name: b, id: a, events: [y], notify: [h]}\n",
            [
                "6:6: the rule at f.yaml:5 has the identity 'a' already"
            ]),
        .init(
            "a faulty endpoint is told once",
            "version: 1\nworkspace: w\nendpoints: {h: {webhook: \"x.example\"}}\nrules:\n  - {name: a, events: [x], notify: [h]}\n",
            [
                "3:26: the url begins with neither http:// nor https://"
            ]),
        .init(
            "a duplicate key is refused",
            "version: 1\nworkspace: w\nworkspace: v\n",
            [
                "2:1: duplicate key 'workspace': it stands here and again in the same mapping"
            ]),
        .init(
            "a duplicate key deep inside is refused",
            "version: 1\nworkspace: w\nrules:\n  - name: a\n    events: [x]\n    notify: [h]\n    name: b\n",
            [
                "4:5: duplicate key 'name': it stands here and again in the same mapping"
            ]),
        .init(
            "lists that are keys and repeat are refused the same way each time",
            "version: 1\nworkspace: w\nworkspace: w\n[b]: 1\n[b]: 1\n[a]: 1\n[a]: 1\nversion: 1\n",
            [
                "1:1: duplicate keys that are not all text, with 'version', 'workspace': in a mapping a key stands once"
            ]),
        .init(
            "a duplicate endpoint is refused",
            "version: 1\nworkspace: w\nendpoints:\n  h: {webhook: \"https://x.example\"}\n  h: {webhook: \"https://x.example\"}\n",
            [
                "4:3: duplicate key 'h': it stands here and again in the same mapping"
            ]),
        .init(
            "a tab does not indent",
            "version: 1\nworkspace: w\nrules:\n\t- name: a\n",
            [
                "4:1: no YAML: while scanning for the next token from line 4, column 1: found character that cannot start any token"
            ]),
        .init(
            "a list that is not closed is told",
            "version: 1\nworkspace: w\nrules: [a\n",
            [
                "4:1: no YAML: while parsing a flow sequence from line 3, column 8: did not find expected ',' or ']'"
            ]),
        .init(
            "a text that is not closed is told",
            "version: 1\nworkspace: \"w\n",
            [
                "3:1: no YAML: while scanning a quoted scalar from line 2, column 12: found unexpected end of stream"
            ]),
        .init(
            "an at sign begins no value",
            "version: 1\nworkspace: @w\n",
            [
                "2:12: no YAML: while scanning for the next token from line 2, column 12: found character that cannot start any token"
            ]),
        .init(
            "wrong indentation is told",
            "version: 1\n  workspace: w\n",
            [
                "2:12: no YAML: mapping values are not allowed in this context"
            ]),
        .init(
            "each document of a file is read",
            "version: 1\nworkspace: a\n---\nversion: 1\nworkspace: b\nrule: []\n---\nversion: 3\n",
            [
                "6:1: unknown key 'rule' in a rule document; did you mean 'rules'?",
                "8:10: 'version' is the number 1 in this build, not '3'",
            ]),
        .init(
            "what stands before an error of syntax is checked",
            "version: 2\nworkspace: a\n---\nversion: [\n",
            [
                "1:10: 'version' is the number 1 in this build, not '2'",
                "5:1: no YAML: while parsing a flow node from line 5, column 1: did not find expected node content",
            ]),
        .init(
            "a NUL is no YAML",
            "version: 1\nworkspace: a\u{0}b\n",
            [
                "2:13: the character U+0000 is not allowed in YAML"
            ]),
        .init(
            "a bell is no YAML",
            "version: 1\n# \u{7}\n",
            [
                "2:3: the character U+0007 is not allowed in YAML"
            ]),
        .init("a byte order mark is fine", "\u{feff}version: 1\nworkspace: w\n", []),
        .init(
            "columns count characters, not bytes",
            "version: 1\nworkspace: w\nrules: [{name: überfällig, evnts: [a], notify: [b]}]\n",
            [
                "3:28: unknown key 'evnts' in a rule; did you mean 'events'?"
            ]),
        .init(
            "carriage returns end lines",
            "version: 1\r\nworkspace: w\r\nrule: []\r\n",
            [
                "3:1: unknown key 'rule' in a rule document; did you mean 'rules'?"
            ]),
        .init(
            "anchors may share values",
            "version: 1\nworkspace: w\nendpoints: {h: {webhook: \"https://x.example\"}}\nrules:\n  - {name: a, events: &e [job.*], notify: &n [h]}\n  - {name: b, events: *e, notify: *n}\n",
            []),
        .init(
            "an anchor counts in its document only",
            "version: 1\nworkspace: &w w\n---\nversion: 1\nworkspace: *w\n",
            [
                "5:12: the alias '*w' has no anchor before it"
            ]),
        .init("an alias may be a key", "version: 1\nworkspace: &w rules\n? *w\n: []\n", []),
        .init(
            "an anchor cannot hold itself",
            "version: 1\nworkspace: w\nrules: &r [*r]\n",
            [
                "3:12: the alias '*r' has no anchor before it"
            ]),
        .init(
            "a key is text",
            "version: 1\nworkspace: w\n? [a, b]\n: c\n",
            [
                "3:3: a key is text, not a list"
            ]),
    ]
}
