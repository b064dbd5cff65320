"""Writes what Jinja makes of hand-picked templates: one for each filter, test, operator and statement.

    golden.py > ../Fixtures/golden.jsonl

The first line holds the variables; each other line "what", "t" (the template) and "o" (the text) or "e" (the error).
"""

import json

from jinja2.sandbox import ImmutableSandboxedEnvironment

CONTEXT = r"""{"subject":"dlc-7","type":"job.failed","n":7,"neg":-7,"big":123456789012345678901234567890,"f":0.25,"sci":3.0e2,"tiny":1e-7,
"huge":1e16,"minus":-0,"mzero":-0.0,"exact":9007199254740993,"inf":1e400,"s":"Hello World","quote":"it's \"x\"","uni":"Straße ΟΔΟΣ \u00e9\ud83d\ude00","empty":"",
"html":"<b>a & 'b'</b>","spaces":"  a b  ","lines":"a\nb\n\nc","num":"42.5","hex":"0x1F","nothing":null,"yes":true,"no":false,
"xs":[3,1,2,1],"mixed":[1,"a",2.5,null,true,[],{}],"words":["b","A","a","C"],"d":{"b":2,"a":1,"C":3},"twice":{"k":1,"k":2,"\u006b2":3},
"rows":[{"name":"x","size":3,"ok":true,"t":{"v":1}},{"name":"Y","size":1,"ok":false,"t":{"v":2}},{"name":"a","size":3,"ok":true}],
"dotted.name":1,"k with space":{"in":"side"}}"""

GROUPS = {
    "printing": "{{ n }} {{ neg }} {{ big }}|{{ f }} {{ sci }} {{ tiny }} {{ huge }}|{{ minus }} {{ mzero }} {{ exact }} {{ inf }} {{ -inf }}"
                "|{{ 1e15 }} {{ 1e16 }} {{ 123456789.125 }} {{ 0.1 + 0.2 }} {{ 100.0 }} {{ 1e22 }}|{{ yes }} {{ no }} {{ nothing }} {{ missing }}"
                "|{{ mixed }}|{{ d }}|{{ rows }}|{{ [quote, 'it\\'s', uni, lines, '\\x01\\\\'] }}|{{ (1,) }} {{ () }} {{ (1, 'a') }} {{ {} }}"
                "|{{ range(3) }} {{ range(1, 9, 2) }}|{{ d.keys() }} {{ d.values() }} {{ d.items() }}|{{ [missing] }}",
    "access": "{{ d.a }}|{{ d['a'] }}|{{ d[subject] }}|{{ rows[0].name }}|{{ rows.0.name }}|{{ rows[-1]['name'] }}|{{ rows[9] }}|{{ rows[9].x }}|{{ s[0] }}{{ s[-1] }}"
              "|{{ uni[1] }}{{ uni[-1] }}|{{ s[1:4] }}|{{ s[::-1] }}|{{ xs[1:] }}|{{ xs[:-1] }}|{{ xs[::2] }}|{{ xs[-2:] }}|{{ xs[5:] }}|{{ uni[2:5] }}|{{ (1, 2, 3)[1:] }}"
              "|{{ range(10)[2:8:3] }}|{{ xs[::0] }}|{{ n.x }}|{{ missing.x }}|{{ missing[0] }}|{{ nothing.x }}|{{ s.__class__ }}|{{ s.__class__.__mro__ }}|{{ twice }}|{{ twice.k }}|{{ d['x'] }}|{{ d[xs] }}"
              "|{{ n[1:] }}|{{ xs['a'] }}|{{ xs[true] }}|{{ xs[1.0] }}|{{ d.items()[0] }}",
    "arithmetic": "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ -7.5 % 2 }} {{ 7.5 // -2 }}|{{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}|{{ 2 ** 0.5 }}"
                  "|{{ -2 ** 2 }}|{{ 2 ** 3 ** 2 }}|{{ 1 + 2 * 3 }}|{{ 10 - 4 - 3 }}|{{ 2 * 3 % 4 }}|{{ 1 / 0 }}|{{ 1 // 0 }}|{{ 1 % 0 }}|{{ 1.0 / 0 }}|{{ 0 ** -1 }}|{{ exact + 1 }}|{{ big * big }}|{{ big // 7 }} {{ big % 1000 }}"
                  "|{{ 9223372036854775807 + 1 }}|{{ -9223372036854775808 - 1 }}|{{ 9223372036854775807 * 3 }}|{{ big / 3 }}|{{ 2 ** 100 }}|{{ true + true }}|{{ -true }}|{{ +n }}|{{ 'a' + 'b' }}|{{ 'a' + 1 }}|{{ 1 + 'a' }}"
                  "|{{ 'ab' * 3 }}|{{ 3 * [1, 2] }}|{{ [1] + [2] }}|{{ [1] + (2,) }}|{{ (1,) + (2,) }}|{{ missing + 1 }}|{{ nothing + 1 }}|{{ -'a' }}|{{ 1e308 * 10 }}|{{ inf - inf }}|{{ 10.0 ** 400 }}|{{ 1_000 + 0x1f + 0b11 + 0o17 }}|{{ '%d of %s' % (n, s) }}"
                  "|{{ 1 ~ 2 }}|{{ 1 ~ 2 + 3 }}|{{ 'a' ~ 1.0 ~ none ~ true ~ missing }}|{{ 2 * 3 ~ 4 }}",
    "comparison": "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 == true }}|{{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ none == false }} {{ missing == missing }} {{ exact == 9007199254740992.0 }} {{ 2 ** 53 + 1 > 2.0 ** 53 }}"
                  "|{{ 'a' < 'b' }} {{ 'a' < 'B' }} {{ 'é' > 'z' }} {{ '😀' > '￿' }}|{{ [1, 2] < [1, 3] }} {{ (1,) < (1, 0) }} {{ [1] == (1,) }} {{ [1, 'a'] == [1.0, 'a'] }}|{{ d == {'a': 1, 'b': 2, 'C': 3} }}|{{ 1 < 'a' }}|{{ none < 1 }}|{{ missing < 1 }}|{{ d < d }}"
                  "|{{ 1 in xs }} {{ 9 not in xs }} {{ 'a' in d }} {{ 'lo' in s }} {{ '' in s }} {{ 1 in range(3) }} {{ 1.0 in [1] }} {{ none in mixed }}|{{ 1 in s }}|{{ 1 in n }}|{{ [] in d }}|{{ missing in xs }} {{ 1 in missing }}|{{ not 1 == 2 }} {{ not (1 in xs) }} {{ not missing }}"
                  "|{{ 1 and 0 }} {{ 1 or 0 }} {{ 0 or 'x' }} {{ '' and 1 / 0 }} {{ missing or 'd' }}|{{ 'y' if n > 5 else 'n' }} {{ 'y' if n > 9 }} {{ 1 if no else 2 if yes else 3 }}|{{ inf > big }} {{ big > 1e29 }} {{ inf == inf }}",
    "filter abs": "{{ neg|abs }} {{ -0.5|abs }} {{ true|abs }} {{ -big|abs }}|{{ s|abs }}|{{ missing|abs }}",
    "filter attr": "{{ d|attr('a') }}|{{ d|attr('zz') }}",
    "filter batch": "{{ xs|batch(3)|list }} {{ xs|batch(3, 0)|list }} {{ []|batch(2)|list }}",
    "filter capitalize": "{{ 'hELLO wORLD'|capitalize }} {{ 'élan'|capitalize }} {{ ''|capitalize }} {{ 5|capitalize }} {{ 'ǆabc'|capitalize }}",
    "filter center": "[{{ 'ab'|center(7) }}] [{{ 'abc'|center(6) }}] [{{ 'abc'|center(2) }}]",
    "filter count": "{{ xs|count }} {{ d|count }} {{ uni|count }}",
    "filter default": "{{ missing|default('x') }} {{ missing|d }}{{ nothing|default('x') }} {{ nothing|default('x', true) }} {{ 0|default(9) }} {{ ''|d('e', boolean=true) }} {{ d.zz|d(1) + 1 }} {{ missing.x|default('x') }}",
    "filter dictsort": "{{ d|dictsort }} {{ d|dictsort(true) }} {{ d|dictsort(by='value') }} {{ d|dictsort(false, 'value', true) }}|{{ d|dictsort(by='x') }}|{{ xs|dictsort }}",
    "filter escape": "{{ html|e }} {{ html|escape|escape }} {{ html|e|forceescape }} {{ 5|e }} {{ html|safe|e }} {{ quote|e }}|{{ html|e + '<' }}|{{ '<' + html|e }}|{{ [html|e] }}",
    "filter filesizeformat": "{{ 0|filesizeformat }} {{ 1|filesizeformat }} {{ 999|filesizeformat }} {{ 13000|filesizeformat }} {{ 1500000|filesizeformat }} {{ 1536|filesizeformat(true) }} {{ '4e9'|filesizeformat }} {{ 1e30|filesizeformat }}",
    "filter first": "{{ xs|first }} {{ s|first }} {{ d|first }} {{ []|first }}|{{ n|first }}|{{ []|first + 1 }}",
    "filter float": "{{ '3.5'|float }} {{ 'x'|float }} {{ 'x'|float(2) }} {{ 3|float }} {{ true|float }} {{ none|float }} {{ ' 1_0.5e1 '|float }} {{ 'inf'|float }} {{ '1_'|float }} {{ xs|float('z') }}|{{ '٥.٥e١'|float }} {{ '५_५'|float }} {{ '½'|float(7) }} {{ '\x1c5'|float(7) }} {{ ' ५ ५'|float(7) }}|{{ missing|float }}",
    "filter format": "{{ '%.2f'|format(f) }} {{ '%s-%5d-%-4s|'|format('a', 42, 'b') }} {{ '%(a)s'|format(a=1) }} {{ '%05.1f %e %g %x %X %o %%'|format(3.14159, 12345.678, 0.0001, 255, 255, 8) }} {{ '%r %+d'|format('a', 3) }}|{{ '%#x %#X %#o %#x %+#x %#8x. %#08x %-#8x. %#.5x %#010.5x'|format(255, 255, 8, -255, 0, 255, 255, 255, 255, 255) }} {{ '%#d %#s'|format(5, 'a') }}"
                     "|{{ '%#.0f %#.0e %#g %#g %#.3g %#.0g %#5.0f %#E %#f'|format(3.0, 3.0, 1.5, 1e6, 0.0, 5.0, 3.0, 0.0, inf) }}|{{ '%d'|format('a') }}|{{ '%s'|format() }}|{{ '%s'|format(1, 2) }}|{{ '%q'|format(1) }}",
    "filter groupby": "{% for k, g in rows|groupby('size') %}{{ k }}:{% for r in g %}{{ r.name }}{% endfor %};{% endfor %} {{ rows|groupby('t.v', default=9)|map('first')|list }}",
    "filter indent": "{{ lines|indent }}|{{ lines|indent(2, true) }}|{{ lines|indent('> ', blank=true) }}",
    "filter int": "{{ '42'|int }} {{ num|int }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ -3.9|int }} {{ true|int }} {{ none|int(5) }} {{ hex|int(0, 16) }} {{ hex|int(base=0) }} {{ ' -1_000 '|int }} {{ '1e3'|int }} {{ big|string|int }} {{ 'inf'|int(8) }} {{ '0b101'|int(base=2) }}|{{ '५'|int }} {{ '-१२_३'|int }} {{ '１２'|int(0, 16) }} {{ '०x1f'|int(base=0) }} {{ '५.५'|int }} {{ '²'|int(7) }} {{ 'Ⅷ'|int(7) }} {{ '\u20035\u00a0'|int }} {{ '\x1c5'|int(7) }} {{ '5\x1f५'|int(7) }} {{ '𝟘𝟏'|int }} {{ '−५'|int(7) }}|{{ missing|int }}|{{ inf|int }}",
    "filter items": "{{ d|items|list }} {{ missing|items|list }}|{{ xs|items|list }}",
    "filter join": "{{ xs|join }} {{ xs|join(', ') }} {{ words|join('-') }} {{ s|join('.') }} {{ rows|join('/', attribute='name') }} {{ d|join }} {{ mixed|join('|') }}|{{ n|join }}|{{ missing|join }}|{{ xs|join(1) }}",
    "filter last": "{{ xs|last }} {{ s|last }} {{ d|last }} {{ []|last }}|{{ n|last }}",
    "filter length": "{{ s|length }} {{ uni|length }} {{ xs|length }} {{ d|length }} {{ missing|length }} {{ range(5)|length }}|{{ n|length }}|{{ none|length }}|{{ xs|reverse|length }}",
    "filter list": "{{ s[:3]|list }} {{ d|list }} {{ range(3)|list }} {{ (1, 2)|list }} {{ missing|list }}|{{ n|list }}",
    "filter lower": "{{ s|lower }} {{ uni|lower }} {{ 'İ'|lower|length }} {{ 5|lower }} {{ 'ΑΣ'|lower }} {{ 'Σ'|lower }} {{ none|lower }}",
    "filter map": "{{ words|map('upper')|list }} {{ rows|map(attribute='name')|join }} {{ rows|map(attribute='t.v', default=0)|list }} {{ xs|map('default', 1)|list }} {{ ['1', 'x']|map('int', 5)|list }} {{ missing|map('upper')|list }}",
    "filter max": "{{ xs|max }} {{ words|max }} {{ words|max(case_sensitive=true) }} {{ rows|max(attribute='size') }} {{ []|max }}|{{ [1, 'a']|max }}",
    "filter min": "{{ xs|min }} {{ words|min }} {{ words|min(true) }} {{ (rows|min(attribute='size')).name }} {{ []|min }}|{{ [none, 1]|min }}",
    "filter reject": "{{ xs|reject('odd')|list }} {{ mixed|reject|list }} {{ rows|rejectattr('ok')|map(attribute='name')|list }}",
    "filter replace": "{{ s|replace('l', 'L') }} {{ s|replace('l', 'L', 2) }} {{ 'abc'|replace('', '-') }} {{ 'aaa'|replace('a', 'b', count=1) }} {{ 5|replace(5, 6) }} {{ 'é'|replace('', '.') }}|{{ s|replace('a') }}",
    "filter reverse": "{{ s|reverse }} {{ uni|reverse }} {{ xs|reverse|list }} {{ range(3)|reverse|list }} {{ d|reverse|list }}|{{ n|reverse }}",
    "filter round": "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ -2.5|round }} {{ 25|round(-1) }} {{ 1234.5678|round(-2) }} {{ 7|round }} {{ 2.1|round(0, 'ceil') }} {{ 2.99|round(1, 'floor') }} {{ -2.11|round(1, 'floor') }} {{ 42.55|round(1) }} {{ 1e22|round(2) }} {{ true|round }} {{ 0.5|round }} {{ 1.5|round(none) }}|{{ 1|round(0, 'x') }}|{{ s|round }}|{{ missing|round }}|{{ 5|round(0, 'ceil') }}",
    "filter safe": "{{ html|safe }} {{ html|safe is escaped }} {{ html is escaped }}",
    "filter select": "{{ xs|select('odd')|list }} {{ mixed|select|list }} {{ xs|select('gt', 1)|list }} {{ xs|select('in', [1, 3])|list }} {{ rows|selectattr('ok')|map(attribute='name')|list }} {{ rows|selectattr('size', 'eq', 3)|list|length }}",
    "filter slice": "{{ xs|slice(2)|list }} {{ xs|slice(3, 'x')|list }}",
    "filter sort": "{{ xs|sort }} {{ xs|sort(true) }} {{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ rows|sort(attribute='size')|map(attribute='name')|list }} {{ rows|sort(attribute='size,name')|map(attribute='name')|list }} {{ rows|sort(true, attribute='size')|map(attribute='name')|list }} {{ s|sort|join }} {{ d|sort }}|{{ mixed|sort }}|{{ n|sort }}",
    "filter string": "{{ n|string + 'x' }} {{ xs|string }} {{ none|string }} {{ missing|string }} {{ 1.0|string }}",
    "filter striptags": "{{ html|striptags }} {{ 'a <!-- x --> <i>b</i>  c'|striptags }}",
    "filter sum": "{{ xs|sum }} {{ [0.1, 0.2]|sum }} {{ rows|sum(attribute='size') }} {{ xs|sum(start=10) }} {{ []|sum }}|{{ words|sum }}",
    "filter title": "{{ 'hello wORLD-x (y) [z] it\\'s'|title }} {{ 'élan vital'|title }} {{ 'foo\\nbar\\tbaz'|title }} {{ 5|title }}",
    "filter tojson": "{{ d|tojson }} {{ mixed|tojson }} {{ html|tojson }} {{ uni|tojson }} {{ quote|tojson }} {{ none|tojson }} {{ 1.0|tojson }} {{ big|tojson }} {{ (1, 2)|tojson }} {{ {1: 2, 3: none}|tojson }} {{ inf|tojson }} {{ '\\x7f\\x00/'|tojson }}|{{ d|tojson(indent=2) }}|{{ []|tojson(1) }}{{ {}|tojson(1) }}|{{ missing|tojson }}|{{ range(2)|tojson }}|{{ {(1, 2): 3}|tojson }}",
    "filter trim": "[{{ spaces|trim }}] [{{ 'xxaxx'|trim('x') }}] [{{ '\\u00a0a\\u2003'|trim }}] [{{ 'abc'|trim('ca') }}] [{{ 5|trim }}]",
    "filter truncate": "{{ 'foo bar baz qux'|truncate(9) }}|{{ 'foo bar baz qux'|truncate(9, true) }}|{{ 'foo bar baz qux'|truncate(11) }}|{{ 'foo bar baz qux'|truncate(11, false, '...', 0) }}|{{ 'x' * 300 }}|{{ ('x' * 300)|truncate }}|{{ 'é€😀' * 5 }} {{ ('é€😀' * 5)|truncate(6, true, '…', leeway=0) }}|{{ s|truncate(2) }}|{{ n|truncate }}|{{ missing|truncate }}",
    "filter unique": "{{ xs|unique|list }} {{ words|unique|list }} {{ words|unique(true)|list }} {{ [1, 1.0, true, '1']|unique|list }} {{ rows|unique(attribute='size')|map(attribute='name')|list }}|{{ [[1], [1]]|unique|list }}",
    "filter upper": "{{ s|upper }} {{ uni|upper }} {{ 'ß'|upper }} {{ 'ﬁ'|upper }} {{ none|upper }}",
    "filter urlencode": "{{ 'a b/c?d=é&+~'|urlencode }} {{ {'a b': 'c/d', 'x': 1}|urlencode }} {{ [('k', 'v w')]|urlencode }} {{ 5|urlencode }} {{ none|urlencode }}|{{ xs|urlencode }}",
    "filter wordcount": "{{ s|wordcount }} {{ 'a-b c_d, é1'|wordcount }} {{ ''|wordcount }}",
    "chains": "{{ words|map('lower')|unique|sort|join(', ')|title|replace(',', ';') }} {{ -3|abs }} {{ (-3)|abs }} {{ s|lower|upper == 'HELLO WORLD' }} {{ 1 + 2|string }}|{{ 'a' 'b' \"c\" }}|{{ s.upper().lower()|title }}",
    "tests": "{{ n is defined }}{{ missing is defined }}{{ missing is undefined }}{{ missing is not defined }}{{ nothing is none }}{{ n is none }}|{{ n is number }}{{ yes is number }}{{ f is number }}{{ s is number }}|{{ n is integer }}{{ yes is integer }}{{ f is integer }}{{ big is integer }}|{{ f is float }}{{ n is float }}|{{ s is string }}{{ n is string }}{{ html|e is string }}"
             "|{{ d is mapping }}{{ xs is mapping }}|{{ s is sequence }}{{ xs is sequence }}{{ d is sequence }}{{ n is sequence }}{{ missing is sequence }}{{ range(2) is sequence }}|{{ s is iterable }}{{ xs is iterable }}{{ n is iterable }}{{ none is iterable }}|{{ yes is boolean }}{{ 1 is boolean }}{{ yes is true }}{{ 1 is true }}{{ no is false }}"
             "|{{ 3 is odd }}{{ -3 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 3.0 is odd }}|{{ 'abc' is lower }}{{ 'aBc' is lower }}{{ '1' is lower }}{{ 'ABC' is upper }}{{ 5 is upper }}|{{ 2 is in [1, 2] }}{{ 'a' is in 'abc' }}{{ 2 is not in [1] }}|{{ 1 is eq 1.0 }}{{ 1 is ne 2 }}{{ 1 is lt 2 }}{{ 2 is le 2 }}{{ 3 is gt 2 }}{{ 3 is ge(4) }}{{ 1 is equalto 1 }}{{ 2 is greaterthan 1 }}{{ 1 is lessthan 1 }}"
             "|{{ none is sameas none }}{{ yes is sameas true }}{{ 1 is sameas true }}|{{ html|e is escaped }}{{ html is escaped }}|{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}|{{ range is callable }}{{ n is callable }}|{{ not n is odd }} {{ n is not odd }} {{ n is odd and f is float or no }}|{{ s is odd }}|{{ missing is odd }}|{{ n is divisibleby 0 }}|{{ 1 is lt 'a' }}|{{ n is eq 7 if yes }}"
             "|{{ n is odd is even }}|{{ n is nope }}|{{ n|nope }}",
}

WHOLE = {
    "if": ["{% if n > 5 %}big{% elif n > 3 %}mid{% else %}small{% endif %}", "{% if missing %}x{% endif %}y", "{% if no %}a{% elif yes %}b{% else %}c{% endif %}", "{% if xs %}{% if d.a %}in{% endif %}{% endif %}",
           "{% if 0.0 %}a{% endif %}{% if '' %}b{% endif %}{% if {} %}c{% endif %}{% if [0] %}d{% endif %}{% if ' ' %}e{% endif %}{% if none %}f{% endif %}{% if range(0) %}g{% endif %}"],
    "for": ["{% for x in xs %}{{ x }},{% endfor %}", "{% for x in [] %}x{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }} {% endfor %}", "{% for x in xs if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% else %}no{% endfor %}",
            "{% for x in xs if x > 9 %}x{% else %}none{% endfor %}", "{% for c in 'héy' %}{{ c }}.{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for x in n %}{% endfor %}",
            "{% for x in missing %}x{% endfor %}-", "{% for x in xs %}{% for y in words %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}", "{% for x in xs, words %}{{ x }}{% endfor %}", "{% for r in rows %}{{ r.name }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for x in xs %}{% set y = x %}{% endfor %}{{ y }}",
            "{% for x in xs %}{{ y }}{% set y = x %}{% endfor %}"],
    "loop": ["{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}", "{% for x in xs %}{{ loop.cycle('odd', 'even') }} {% endfor %}", "{% for x in xs %}[{{ loop.previtem }},{{ loop.nextitem }}]{% endfor %}",
             "{% for x in [1, 1, 2, 2, 1] %}{{ x if loop.changed(x) }}{% endfor %}", "{% for x in xs %}{{ loop.nope }}{% endfor %}", "{{ loop }}", "{% for x in xs %}{{ loop }}{% endfor %}", "{% set loop = 1 %}{{ loop }}", "{% for x in xs %}{% set loop = 1 %}{% endfor %}", "{% for loop in xs %}{% endfor %}", "{% for x in xs %}{{ loop.cycle() }}{% endfor %}"],
    "set": ["{% set x = 1 %}{{ x }}", "{% set a, b = 1, 'z' %}{{ a }}{{ b }}", "{% set a, b = xs %}", "{% set x %}a{{ n }}b{% endset %}[{{ x }}]", "{% set x | upper | trim %} a{{ n }} {% endset %}[{{ x }}]", "{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}", "{% set x = 1 %}{% for i in xs %}{% set x = i %}{% endfor %}{{ x }}",
            "{% set ns = namespace(c=0, l='') %}{% for i in xs %}{% set ns.c = ns.c + i %}{% set ns.l = ns.l ~ i %}{% endfor %}{{ ns.c }} {{ ns.l }} {{ ns.zz }}", "{% set d.x = 1 %}", "{% set n = n + 1 %}{{ n }}", "{% set true = 1 %}", "{% set x = %}", "{% set ns = namespace(d) %}{{ ns.a }}{{ ns }}", "{% set x = 1, %}{{ x }}"],
    "with": ["{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with n = 1, m = n %}{{ m }}{% endwith %}{{ n }}", "{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z }}"],
    "filter block": ["{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('l', '!') | title %}a{{ s }}{% endfilter %}", "{% filter length %}abc{% endfilter %}"],
    "raw": ["{% raw %}{{ x }}{% if %}{% endraw %}!", "a {%- raw -%} {{ x }} {%- endraw -%} b", "{% raw %}x"],
    "comments": ["a{# b {{ c }} #}d", "a {#- b -#} c", "{# x", "{##}y", "{#-#}y"],
    "white space": ["a {{- n }} b", "a {{ n -}} b", "a {%- if yes -%} b {%- endif -%} c", "{% if yes +%}\n x{%+ endif %}", "a\n{{ n }}\n", "a\n\n", "a\r\nb\r", "{{ 'a\r\nb' }}", "{{+ n }}", "{{-n}}", "{{ n-}}", "{{ 1 --2 }}", "\n{%- set x = 1 -%}\n{{ x }}"],
    "lexing": ["{{ {'a': {'b': 1}}.a.b }}", "{{ '}}' }}", "{{ \"%}\" }}", "{ { n } }", "{{ n }}}", "{{{ n }}", "{{ 1.5.x }}", "{{ xs.0 }}", "{{ rows.0.size }}", "{{ 007 }}", "{{ 1__0 }}", "{{ 1e }}", "{{ 1.e3 }}", "{{ 0x }}", "{{ a! }}", "{{ ' }}", "{{ '\\u00e9\\x41\\n\\q\\101' }}", "{{ '\\u12' }}", "{{ n", "{% if yes", "{{ (n }}", "{{ n) }}", "{{ [n) }}", "{{ }}", "{{}}", "{% %}", "{{ é }}", "{{ n n }}", "{{ n, }}", "{{ n, s }}",
               "{{ 0_0 }} {{ 1_000.5_0 }} {{ 1E3 }}", "{{ \"a\" \"b\" 'c' }}", "{{ n;s }}", "{{ n$ }}", "{% endif %}", "{% if yes %}", "{% for x in xs %}{% endif %}", "{% nope %}", "{% else %}", "{% for in xs %}{% endfor %}", "{% for x xs %}{% endfor %}", "{% if %}{% endif %}", "{{ n if }}", "{{ not }}", "{{ n. }}", "{{ n[ }}", "{{ n| }}", "{{ n is }}", "{{ f(a=1, 2) }}", "{{ {1} }}", "{{ xs[1, 2] }}", "{{ xs[] }}", "{{ and }}", "{{ n and }}", "{{ if }}", "{% if yes: %}x{% endif %}"],
    "calls": ["{{ '\\u2003a\\u00a0b \\x1fc '.split() }} {{ '  a  b  c  '.split(none, 1) }} {{ '  a  b  c  '.rsplit(none, 1) }} {{ 'é\\u2028ü'.rsplit() }} {{ ' a '.split(none, 0) }} {{ '  '.split(none, 0) }} {{ 'aébéc'.rsplit('é', 1) }}", "{{ range(3)|list }} {{ range(1, 3)|list }} {{ range(5, 1, -2)|list }}", "{{ range() }}", "{{ range(1.5) }}", "{{ range(1, 2, 0) }}", "{{ range(1000000) }}", "{{ dict(a=1, b=2) }} {{ dict(d, z=1) }} {{ dict([(1, 2)]) }}", "{{ n() }}", "{{ missing() }}", "{{ s.upper() }} {{ s.split() }} {{ s.split('l') }} {{ s.split('l', 1) }} {{ s.startswith('He') }} {{ s.endswith('x') }} {{ s.replace('l', '') }} {{ s.find('o') }} {{ s.count('l') }} {{ ', '.join(words) }}",
              "{{ spaces.strip() }} {{ 'xax'.lstrip('x') }} {{ 'xax'.rstrip('x') }} {{ '12'.isdigit() }} {{ 'a b c'.rsplit(' ', 1) }} {{ 'hELLO'.capitalize() }}", "{{ d.get('a') }} {{ d.get('zz') }} {{ d.get('zz', 0) }} {{ d.items()|list }} {{ d.keys()|list }} {{ d.values()|list }}", "{{ xs.count(1) }} {{ xs.index(2) }}", "{{ xs.append(1) }}", "{{ d.pop('a') }}", "{{ s.format(1) if false }}", "{{ s|upper(1) }}", "{{ s|truncate(lenght=1) }}", "{{ s|replace('a', old='b') }}"],
    "undefined": ["[{{ missing }}]", "{{ missing ~ 'x' }}", "{{ missing|upper }}", "{{ missing|list }}{{ missing|length }}{{ missing|join }}", "{{ d.x.y }}", "{{ -missing }}", "{{ missing == none }}{{ missing != 1 }}", "{{ missing > 1 }}", "{{ [missing, 1] }}", "{{ {missing: 1} }}", "{{ missing * 2 }}", "{{ missing.x is defined }}", "{{ d.x is defined }}", "{{ d.x.y is defined }}", "{{ (missing).x }}", "{{ missing|int }}", "{{ missing[1:] }}", "{{ missing if true }}"],
}

AUTOESCAPE = ["{{ html }} {{ html|safe }} {{ html|e }} {{ html|upper }}", "{{ html ~ '<' }} {{ html|safe ~ '<' }} {{ '<' ~ (html|safe) }}", "{{ [html] }}", "{{ html|tojson }}", "{% set x %}<i>{{ html }}</i>{% endset %}{{ x }}", "{{ [html, '<i>'|safe]|join('<') }} {{ [html]|join(', ') }}", "{{ (html|safe).replace('<', '>') }} {{ html|replace('<', '&') }} {{ html|safe|replace('a', '<') }}", "{{ '<b>%s</b>'|safe|format(html) }}", "{% filter upper %}<{{ html }}{% endfilter %}", "{{ html|safe|truncate(5, true, '<') }}", "{{ html|safe|title }} {{ html|safe|trim }} {{ html|safe|first }}", "{{ missing }}{{ nothing }}{{ n }}", "{{ '<' * 2 }} {{ ('<'|safe) * 2 }} {{ ('<'|safe) + '<' }}", "{{ html|urlencode }} {{ html|striptags }}", "<{{ s }}>"]


def main():
    variables = json.loads(CONTEXT)
    print(CONTEXT.replace("\n", ""))
    cases = [(what, part, False) for what, text in GROUPS.items() for part in text.split("|{{")]
    cases = [(what, "{{" + part if part.startswith(" ") else part, a) for what, part, a in cases]
    cases += [(what, text, False) for what, texts in WHOLE.items() for text in texts]
    cases += [("autoescape", text, True) for text in AUTOESCAPE]
    for what, text, escapes in cases:
        line = {"what": what, "t": text}
        if escapes:
            line["a"] = True
        try:
            line["o"] = ImmutableSandboxedEnvironment(autoescape=escapes).from_string(text).render(variables)
        except Exception as error:
            line["e"] = f"{type(error).__name__}: {str(error)[:120]}"
        print(json.dumps(line, ensure_ascii=False))


main()
