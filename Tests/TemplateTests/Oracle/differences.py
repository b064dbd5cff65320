"""Writes generated templates with what Jinja makes of them, a JSON object a line, for the difference test.

    differences.py SEED COUNT

Each line has "t" (the template), "c" (its variables), and "o" (the text) or "e" (the error's class). "a" stands where
texts are escaped for HTML. What has no one answer is left out: addresses of objects, and complex numbers.
"""

import json
import random
import re
import sys

from jinja2.sandbox import ImmutableSandboxedEnvironment

sys.setrecursionlimit(3000)


class Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["**"])

    def call_binop(self, context, operator, left, right):
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, complex):
            raise ValueError("a complex number")
        return result


plain = Environment()
escaping = Environment(autoescape=True)
no_answer = re.compile(r" [ab]t 0x|<built-in|<function", re.IGNORECASE)

WORDS = ["", "a", "A", "resnet-50", "hello world", "OOMKilled", "x<y & 'z'", 'say "hi"', "it's", "ünïcødé", "日本語 テスト",
         "tab\tnew\nline", "  pad  ", "12", "-3.5", "1e3", "0x1F", "3.0e2", "nan", "inf", "True", "ΑΣ ΟΔΟΣ", "straße", "ﬁx",
         "a,b,,c", "100%", "😀 go", "\u0001\u007f\u00a0\u200b", "back\\slash", "long " * 12, "Ǆ", "é", "e\u0301", "_x1", "५", "-１２_３", "٣.٥e١", "²", "\u20037\u00a0", "\u001f8"]
INTS = ["0", "1", "2", "3", "7", "-1", "-5", "10", "255", "1000000", "9007199254740993", "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "123456789012345678901234567890", "-0"]
FLOATS = ["0.0", "0.1", "1.5", "2.5", "-2.5", "3.0e2", "1e16", "1e15", "123456789.125", "-0.0", "1e-5", "0.0001", "1E400", "2.675",
          "1e22", "1e23", "5e-324", "1.7976931348623157e308", "100.0", "0.25", "9007199254740993.0", "-1e-7"]
NAMES = ["n", "m", "f", "g", "s", "t", "w", "xs", "ys", "words", "d", "rows", "flag", "nothing", "mixed", "deep"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.locals = []

    def pick(self, items):
        return self.r.choice(items)

    def chance(self, p):
        return self.r.random() < p

    # contexts, as JSON text, so that hostile spellings survive

    def string(self):
        text = json.dumps(self.pick(WORDS), ensure_ascii=self.chance(0.5))
        if self.chance(0.1):
            text = '"' + "".join("\\u%04x" % ord(c) if ord(c) < 65536 else c for c in "ab\"\\/é") + '"'
        return text

    def scalar(self):
        return self.pick([lambda: self.pick(INTS), lambda: self.pick(FLOATS), self.string, self.string,
                          lambda: self.pick(["true", "false", "null"])])()

    def value(self, depth=0):
        if depth > 2 or self.chance(0.6):
            return self.scalar()
        if self.chance(0.5):
            return "[" + ", ".join(self.value(depth + 1) for _ in range(self.r.randrange(4))) + "]"
        return self.object([self.pick(["a", "b", "name", "k x", "é", "items", "a"]) for _ in range(self.r.randrange(4))], depth + 1)

    def object(self, names, depth):
        return "{" + ",".join(json.dumps(n) + ":" + self.value(depth) for n in names) + "}"

    def context(self):
        many = lambda make: "[" + ",".join(make() for _ in range(self.r.randrange(6))) + "]"
        row = lambda: '{"name":%s,"size":%s,"ok":%s,"tags":%s}' % (
            self.string(), self.pick(INTS[:9] + FLOATS[:7]), self.pick(["true", "false"]), many(self.string))
        return "{" + ",".join([
            '"n":' + self.pick(INTS), '"m":' + self.pick(INTS[:9]), '"f":' + self.pick(FLOATS), '"g":' + self.pick(FLOATS[:7]),
            '"s":' + self.string(), '"t":' + self.string(), '"w":' + json.dumps(self.pick(WORDS[1:6])),
            '"xs":' + many(lambda: self.pick(INTS[:9])), '"ys":' + many(lambda: self.pick(INTS[:9] + FLOATS[:8])),
            '"words":' + many(self.string), '"d":' + self.object(["a", "b", "name"], 1), '"rows":' + many(row),
            '"flag":' + self.pick(["true", "false"]), '"nothing":null', '"mixed":' + self.value(), '"deep":' + self.value(-1),
        ]) + "}"

    # expressions

    def literal(self):
        return self.pick([
            lambda: self.pick(["0", "1", "2", "3", "7", "10", "42", "1_000", "0x1f", "0b11", "0o17", "2.5", "0.1", "1e3", "1e16", "1.0", "00"]),
            lambda: self.pick(["'a'", '"b"', "'it\\'s'", "'\\u00e9\\n'", "'x' 'y'", "''", "', '", "' '", "'name'", "'%s'", "'\\x41\\101\\q'"]),
            lambda: self.pick(["true", "false", "none", "True", "None"]),
        ])()

    def number(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.pick(["n", "m", "f", "g", "m", "g", "1", "2", "3", "0.5", "10", "d.a", "xs[0]", "loop.index", "flag", "i"])
        a, b = self.number(depth - 1), self.number(depth - 1)
        return self.pick([
            lambda: f"{a} {self.pick(['+', '-', '*', '/', '//', '%'])} {b}",
            lambda: f"({a} {self.pick(['+', '-', '*', '/', '//', '%'])} {b})",
            lambda: f"{self.pick(['m', 'g', '2', 'n', a])} ** {self.pick(['2', '0', '-1', '0.5', '3', 'm'])}",
            lambda: f"-{a}", lambda: f"+{a}", lambda: f"-{a}|abs", lambda: f"{a}|{self.number_filter()}",
            lambda: f"({a})|{self.number_filter()}",
            lambda: f"{self.text(depth - 1)}|length", lambda: f"{self.list(depth - 1)}|{self.pick(['length', 'sum', 'count', 'min', 'max', 'first', 'last'])}",
            lambda: f"{self.text(depth - 1)}|{self.pick(['int', 'float', 'int(7)', 'float(none)', 'int(0, 16)', 'int(base=0)', 'wordcount'])}",
        ])()

    def number_filter(self):
        return self.pick(["abs", "int", "float", "round", "round(1)", "round(2)", "round(-1)", "round(1, 'floor')", "round(2, 'ceil')",
                          "round(method='ceil')", "string", "default(5)", "d('x')", "tojson", "round(-2, 'floor')", "filesizeformat",
                          "filesizeformat(true)", "round(none)"])

    def text(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.pick(["s", "t", "w", "s", "t", "'abc'", "'Hello World'", "words[0]", "d.name", "d['name']", "rows[0].name", "x", "missing"])
        a = self.text(depth - 1)
        return self.pick([
            lambda: f"{a} ~ {self.any(depth - 1)}", lambda: f"({a} ~ {self.any(depth - 1)})", lambda: f"{a} + {self.text(depth - 1)}",
            lambda: f"{a}|{self.text_filter(depth)}", lambda: f"{a}|{self.text_filter(depth)}|{self.text_filter(depth)}",
            lambda: f"{a} * {self.pick(['2', '0', '-1', 'm'])}" if self.chance(0.3) else f"{a}|upper",
            lambda: f"{a}[{self.slice()}]", lambda: f"{a}[{self.pick(['0', '-1', '1', '99', 'm'])}]",
            lambda: f"{self.list(depth - 1)}|join({self.pick(['', chr(39) + ', ' + chr(39), 's', '1', chr(39) + '<' + chr(39)])})",
            lambda: f"({a}).{self.method()}", lambda: f"{self.any(depth - 1)}|tojson", lambda: f"{self.any(depth - 1)}|string",
            lambda: f"{self.pick(PERCENT)}|format({self.number(depth - 1)})", lambda: f"{self.pick(PERCENT)} % {self.number(1)}",
        ])()

    def text_filter(self, depth):
        return self.pick(["lower", "upper", "title", "capitalize", "trim", "trim('ad ')", "length", "reverse", "string", "list", "first", "last",
                          "e", "escape", "safe", "urlencode", "tojson", "wordcount", "default('-')", "d('-', true)", "unique|list", "sort",
                          "truncate(9)", "truncate(9, true)", "truncate(5, false, '.')", "truncate(7, end='', leeway=0)", "truncate(12, true, '…', 0)",
                          "replace('a', 'b')", "replace('', '-')", "replace('l', '<', 1)", "replace(s, t)", "replace(old='a', new='&')", "center(12)",
                          "indent", "indent(2, true)", "indent('> ', blank=true)", "int", "float", "striptags", "forceescape", "max", "min",
                          f"default({self.any(depth - 2)})"])

    def method(self):
        return self.pick(["upper()", "lower()", "strip()", "split()", "split(',')", "split(' ', 1)", "split(none, 1)", "rsplit(none, 2)", "rsplit()", "startswith('a')", "endswith('d')",
                          "replace('a', 'o')", "capitalize()", "count('a')", "find('o')", "rsplit(' ', 1)", "lstrip('a')", "rstrip()", "join(words)",
                          "isdigit()", "find('日')"])

    def slice(self):
        part = lambda: self.pick(["", "", "1", "2", "-1", "-2", "m", "99", "-99"])
        return f"{part()}:{part()}" + (f":{self.pick(['', '1', '2', '-1', '-2', '0'])}" if self.chance(0.4) else "")

    def list(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.pick(["xs", "ys", "words", "[]", "[1, 2, 3]", "(1, 'a')", "range(4)", "range(m)", "range(5, 0, -2)", "rows", "mixed", "d", "w",
                              "d.items()", "d.values()", "[1.0, true, '1', none]", "('b', 'A', 'a')", "missing", "rows|map(attribute='name')"])
        a = self.list(depth - 1)
        return self.pick([
            lambda: f"{a}|{self.list_filter()}", lambda: f"{a}|{self.list_filter()}|{self.list_filter()}", lambda: f"{a}[{self.slice()}]",
            lambda: f"{a} + {self.list(depth - 1)}", lambda: "[" + ", ".join(self.any(depth - 1) for _ in range(self.r.randrange(4))) + "]",
            lambda: "(" + ", ".join(self.any(depth - 1) for _ in range(self.r.randrange(2, 4))) + ")", lambda: f"{a} * {self.pick(['2', '0', 'm'])}" if self.chance(0.3) else a,
            lambda: f"{a}|map({self.pick(['chr'.replace('chr', chr(39) + 'upper' + chr(39)), chr(39) + 'int' + chr(39), 'attribute=' + chr(39) + 'a' + chr(39), chr(39) + 'default' + chr(39) + ', 3', chr(39) + 'string' + chr(39)])})|list",
        ])()

    def list_filter(self):
        return self.pick(["list", "sort", "sort(true)", "sort(reverse=true, case_sensitive=true)", "sort(attribute='name')", "unique|list", "reverse|list",
                          "list", "sort(attribute='size,name')", "unique(true)|list", "batch(2)|list", "batch(3, 'x')|list", "slice(2)|list", "slice(3, 0)|list",
                          "select|list", "reject('odd')|list", "select('string')|list", "selectattr('ok')|list", "rejectattr('size', 'gt', 2)|list",
                          "map('string')|list", "dictsort", "dictsort(by='value')", "items|list", "groupby('ok')", "reverse", "unique", "first", "last", "length",
                          "sum(attribute='size')", "min(attribute='size')", "max(true)", "list|tojson", "tojson", "tojson(indent=2)", "urlencode"])

    def boolean(self, depth):
        if depth <= 0:
            return self.pick(["flag", "true", "n > 1", "s == 'a'", "missing", "nothing", "xs", "m is odd"])
        return self.pick([
            lambda: f"{self.any(depth - 1)} {self.pick(['==', '!='])} {self.any(depth - 1)}",
            lambda: f"{self.number(depth - 1)} {self.pick(['<', '<=', '>', '>=', '==', '!='])} {self.number(depth - 1)}",
            lambda: f"{self.text(depth - 1)} {self.pick(['<', '<=', '>', '>=', '==', '!='])} {self.text(depth - 1)}",
            lambda: f"{self.number(1)} {self.pick(['<', '<='])} {self.number(1)} {self.pick(['<', '<=', '!=', '=='])} {self.number(1)}",
            lambda: f"{self.any(depth - 1)} {self.pick(['in', 'not in'])} {self.list(depth - 1)}",
            lambda: f"{self.text(depth - 1)} {self.pick(['in', 'not in'])} {self.text(depth - 1)}",
            lambda: f"{self.boolean(depth - 1)} {self.pick(['and', 'or'])} {self.boolean(depth - 1)}",
            lambda: f"not {self.boolean(depth - 1)}", lambda: f"({self.boolean(depth - 1)})",
            lambda: f"{self.any(depth - 1)} is {self.test(depth)}", lambda: f"{self.any(depth - 1)} is not {self.test(depth)}",
            lambda: f"{self.list(depth - 1)}|list {self.pick(['<', '==', '>='])} {self.list(depth - 1)}|list",
        ])()

    def test(self, depth):
        return self.pick(["defined", "undefined", "none", "number", "string", "mapping", "sequence", "iterable", "boolean", "integer", "float", "true", "false",
                          "odd", "even", "divisibleby 3", "divisibleby(m)", "divisibleby(num=2)", "in [1, 'a']", "in xs", "eq 1", "ne(2)", "lt 5", "gt 'a'", "ge(1)",
                          "le 2.5", "equalto s", "lower", "upper", "sameas none", "escaped", "callable", f"eq {self.pick(['n', 's', '(1, 2)', '[1]'])}"])

    def any(self, depth):
        kinds = [self.number, self.text, self.list, self.boolean]
        if depth <= 0 or self.chance(0.2):
            return self.pick(NAMES + ["missing", "d.a", "d.b.c", "deep.a", "deep[0]", "mixed.name", "mixed[0]", "rows[0].size", "d['é']", "deep['k x']"]) if self.chance(0.7) else self.literal()
        return self.pick([
            lambda: self.pick(kinds)(depth - 1), lambda: self.pick(kinds)(depth), lambda: self.pick(kinds)(depth),
            lambda: f"({self.any(depth - 1)} if {self.boolean(depth - 1)} else {self.any(depth - 1)})", lambda: f"{self.any(depth - 1)} if {self.boolean(depth - 1)}",
            lambda: f"{self.any(depth - 1)}|{self.pick(['default', 'd', 'default(1)', 'string', 'tojson', 'list', 'e', 'length'])}",
            lambda: f"{self.pick(['mixed', 'deep', 'd', 'rows'])}{self.pick(['.a', '.name', '[0]', '.b', '.0', '[s]', '[m]', '[-1]'])}",
            lambda: "{" + ", ".join(f"{self.literal()}: {self.any(depth - 1)}" for _ in range(self.r.randrange(3))) + "}",
            lambda: f"dict({self.pick(['a=1, b=s', 'd', 'd.items()', '[(1, 2)]', ''])}){self.pick(['', '.a', '.get(1)', '|length', '.keys()|list'])}",
            lambda: f"{self.pick(['d', 'mixed', 'deep'])}.get({self.pick([chr(39) + 'a' + chr(39), chr(39) + 'zz' + chr(39) + ', 4', 's'])})",
        ])()

    # statements

    def gap(self):
        return self.pick(["", "", " ", "x", "\n", "  \n ", "text ", "<b>", "\r\n", " % ", "{ ", "}} "])

    def tag(self, inside):
        left, right = self.pick(["", "", "", "-", "+"]), self.pick(["", "", "", "-", "+"])
        return "{%" + left + self.pick([" ", ""]) + inside + " " + right + "%}"

    def put(self, depth):
        left, right = self.pick(["", "", "", "-"]), self.pick(["", "", "", "-"])
        return "{{" + left + " " + self.any(depth) + " " + right + "}}"

    def statement(self, depth):
        if depth <= 0 or self.chance(0.35):
            return self.put(self.r.randrange(1, 4))
        body = lambda: self.body(depth - 1)
        return self.pick([
            lambda: self.tag("if " + self.boolean(2)) + body() + self.tag("endif"),
            lambda: self.tag("if " + self.boolean(2)) + body() + self.tag("elif " + self.boolean(1)) + body() + self.tag("else") + body() + self.tag("endif"),
            lambda: self.tag(f"for {self.pick(['i', 'x'])} in {self.list(2)}" + self.pick(["", "", f" if {self.pick(['i', 'x', 'i is odd', 'x is string', 'i > 1'])}"])) + body() + self.loop_bit() + self.tag("endfor"),
            lambda: self.tag(f"for i in {self.list(1)}") + self.loop_bit() + body() + self.tag("else") + body() + self.tag("endfor"),
            lambda: self.tag(f"for k, v in {self.pick(['d.items()', 'd|dictsort', '[(1, 2), (3, 4)]', 'd|items', 'rows', 'words', 'deep.items()'])}") + "{{ k }}={{ v }};" + body() + self.tag("endfor"),
            lambda: self.tag(f"set {self.pick(['x', 'i'])} = {self.any(2)}"),
            lambda: self.tag("set x, i = " + self.pick(["1, 2", "xs", "w", "(s, n)", "[1]"])),
            lambda: self.tag("set x") + body() + self.tag("endset"), lambda: self.tag("set x | upper | trim") + body() + self.tag("endset"),
            lambda: self.tag("set ns = namespace(c=0)") + "{% for i in xs %}" + self.tag(f"set ns.c = ns.c + {self.number(1)}") + "{% endfor %}{{ ns.c }}",
            lambda: self.tag("with x = " + self.any(1) + ", i = x") + body() + self.tag("endwith"),
            lambda: self.tag("filter " + self.pick(["upper", "trim", "replace('a', 'b')", "e", "length"])) + body() + self.tag("endfilter"),
            lambda: "{# note " + self.pick(["", "-", "{{ x }}"]) + "#}", lambda: self.tag("raw").replace("+%}", "%}") + "{{ x }} {% y %}" + self.tag("endraw"),
        ])()

    def loop_bit(self):
        return self.pick(["", "{{ loop.index }}", "{{ loop.index0 }}/{{ loop.length }}", "{{ ', ' if not loop.last }}", "{{ loop.first }}{{ loop.last }}",
                          "{{ loop.revindex }}{{ loop.revindex0 }}", "{{ loop.cycle('a', 'b') }}", "{{ loop.previtem }}|{{ loop.nextitem }}",
                          "{% if loop.changed(i) %}*{% endif %}", "{{ loop.previtem is defined }}", "{{ loop.depth }}{{ loop.depth0 }}", "{{ i }}", "{{ x }}", "{{ loop }}"])

    def body(self, depth):
        return "".join(self.gap() + self.statement(depth) for _ in range(self.r.randrange(1, 3))) + self.gap()

    def template(self):
        if self.chance(0.5):
            return self.put(self.r.randrange(1, 5))
        text = self.body(self.r.randrange(1, 3))
        if self.chance(0.02) and text:  # torn
            place = self.r.randrange(len(text))
            text = text[:place] + self.pick(["", "}", "%}", "{{", "|", "(", "'"]) + text[place + 1:]
        return text


PERCENT = ["'%d'", "'%.2f'", "'%5.1f|'", "'%s'", "'%05d'", "'%-6s|'", "'%x'", "'%e'", "'%g'", "'%+d%%'", "'%r'", "'%.3s'", "'% d'", "'%#x'", "'%#07o'",
           "'%#.0f'", "'%#g'", "'%#.2e'", "'%-+8.3d|'", "'%#X'", "'%#.3g'", "'%G'"]


def case(seed):
    maker = Maker(seed)
    context = maker.context()
    template = maker.template()
    escapes = maker.chance(0.15)
    line = {"t": template, "c": "@"}
    if escapes:
        line["a"] = True
    try:
        line["o"] = (escaping if escapes else plain).from_string(template).render(json.loads(context))
        if no_answer.search(line["o"]) or len(line["o"]) > 100_000:
            return None
        line["o"].encode()
    except Exception as error:  # whatever it is, it is no text
        line.pop("o", None)
        line["e"] = f"{type(error).__name__}: {str(error)[:200]}"
    return json.dumps(line).replace('"@"', context, 1)


def main():
    first, count = int(sys.argv[1]), int(sys.argv[2])
    out = sys.stdout
    for seed in range(first, first + count):
        line = case(seed)
        if line is not None:
            out.write(line + "\n")


main()
