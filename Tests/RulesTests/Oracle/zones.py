#!/usr/bin/env python3
"""Writes Fixtures/quiet.tsv and Fixtures/posix.tsv: what Python's zoneinfo says of quiet hours and of POSIX rules.

The days of POSIX that are counted from 0 are left out: Python counts them from 1.
Only the past: what zones will do in years to come is changed by their governments, and with it the database.
"""
import datetime, pathlib, random
from zoneinfo import ZoneInfo
from zoneinfo._zoneinfo import _parse_tz_str

HERE = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
UTC = datetime.timezone.utc
ZONES = """UTC Asia/Shanghai Europe/Berlin Europe/Dublin America/New_York America/St_Johns America/Sao_Paulo America/Havana
Asia/Kolkata Asia/Kathmandu Asia/Tehran Asia/Gaza Asia/Pyongyang Africa/Casablanca Australia/Lord_Howe Antarctica/Troll
Pacific/Apia Pacific/Chatham""".split()
RULES = """UTC0 CST-8 <+0545>-5:45 CET-1CEST,M3.5.0,M10.5.0/3 EST5EDT,M3.2.0,M11.1.0 IST-1GMT0,M10.5.0,M3.5.0/1
NST3:30NDT,M3.2.0,M11.1.0 <+1030>-10:30<+11>-11,M10.1.0,M4.1.0 <+00>0<+02>-2,M3.5.0/1,M10.5.0/3 <-03>3<-02>,M3.5.0/-2,M10.5.0/-1
EET-2EEST,M3.4.4/50,M10.4.4/50 IST-2IDT,M3.4.4/26,M10.5.0 <+0330>-3:30<+0430>,J79/24,J263/24
CST5CDT,M3.2.0/0,M11.1.0/1""".split()


def local(zone, second):
    return datetime.datetime.fromtimestamp(second, UTC).astimezone(zone)


def is_quiet(zone, second, start, end):
    wall = local(zone, second)
    minute = wall.hour * 60 + wall.minute
    return start <= minute < end if start < end else minute >= start or minute < end


def quiet_end(zone, second, start, end):
    if not is_quiet(zone, second, start, end):
        return None
    second = second // 60 * 60
    while is_quiet(zone, second, start, end):
        second += 60
    return second


def changes(zone):
    found, step = [], 3 * 86400
    second = int(datetime.datetime(1985, 1, 1, tzinfo=UTC).timestamp())
    last = int(datetime.datetime(2024, 6, 1, tzinfo=UTC).timestamp())
    while second < last:
        low, high = second, second + step
        if local(zone, low).utcoffset() != local(zone, high).utcoffset():
            while high - low > 1:
                middle = (low + high) // 2
                if local(zone, middle).utcoffset() == local(zone, low).utcoffset():
                    low = middle
                else:
                    high = middle
            found.append(high)
        second += step
    return found


def main():
    random.seed(6)
    lines = []
    for name in ZONES:
        zone = ZoneInfo(name)
        special = changes(zone)
        for place in range(110):
            if special and place % 2:
                moment = random.choice(special)
                second = moment + random.randint(-86400, 86400)
                wall = local(zone, moment - 1)
                middle = wall.hour * 60 + wall.minute
                start = (middle + random.randint(-120, 30)) % 1440
                end = (middle + random.randint(-60, 150)) % 1440
            else:
                second = random.randint(473385600, 1717200000)
                start, end = random.choice([(1320, 420), (0, 360), (720, 780), (1380, 60)])
            if start == end:
                continue
            found = quiet_end(zone, second, start, end)
            hours = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
            lines.append(f"{name}\t{hours}\t{second}\t{'-' if found is None else found}\n")
    (HERE / "quiet.tsv").write_text("".join(lines))
    lines = []
    for text in RULES:
        rule = _parse_tz_str(text)
        for _ in range(80):
            year = random.randint(1975, 2080)
            second = int(datetime.datetime(year, 1, 3, tzinfo=UTC).timestamp()) + random.randint(0, 360 * 86400)
            if hasattr(rule, "transitions") and random.random() < 0.5:
                wall = random.choice(rule.transitions(year))
                second = wall - random.choice([rule.std, rule.dst]).utcoff.total_seconds() + random.randint(-2, 2)
                second = int(second)
            if hasattr(rule, "get_trans_info_fromutc"):
                offset = rule.get_trans_info_fromutc(second, year)[0].utcoff
            else:
                offset = rule.utcoff
            lines.append(f"{text}\t{second}\t{int(offset.total_seconds())}\n")
    (HERE / "posix.tsv").write_text("".join(lines))


main()
