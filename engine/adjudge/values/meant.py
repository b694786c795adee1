"""What a person meant by a number, a length of time or a day that is not written as a policy writes it.

Looked at only where something was refused already: nothing here decides, it proposes.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from adjudge.errors import EvaluationError
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.texts import about
from adjudge.values.literals import parse_duration, parse_timestamp
from adjudge.values.look_alikes import plainly

TEXT_MAX = 60
"""A longer text is no number and no date."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CURRENCY = "usd|eur|gbp|jpy|cny|rmb|sgd|idr|inr|php|myr|thb|vnd|hkd|krw|brl|dollars?|euros?"
MULTIPLES = {"k": 1000, "thousand": 1000, "m": 10**6, "mn": 10**6, "mio": 10**6, "million": 10**6} | {
    "b": 10**9, "bn": 10**9, "billion": 10**9, "lakh": 10**5, "crore": 10**7,
    "\u4e07": 10**4, "\u842c": 10**4, "\u4ebf": 10**8, "\u5104": 10**8,
}  # fmt: skip
SECONDS = (
    dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001)
    | dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1)
    | dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60)
    | dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600)
    | dict.fromkeys(("d", "day", "days"), 86_400)
    | dict.fromkeys(("w", "wk", "week", "weeks"), 604_800)
    | dict.fromkeys(("mo", "month", "months"), 30 * 86_400)
    | dict.fromkeys(("y", "yr", "yrs", "year", "years"), 365 * 86_400)
)
"""Of a month and a year, which have no fixed length, the usual one."""
_SHORT = ((604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
INEXACT = frozenset({"mo", "month", "months", "y", "yr", "yrs", "year", "years"})
_COUNTED = "times|time|x|points?|pts?|attempts?|tries"
_UNIT = "|".join(sorted((*MULTIPLES, *SECONDS), key=len, reverse=True))
_DIGITS = "|".join(
    (
        r"\d{1,3}(?:[,'_ ]\d{3})+(?:\.\d+)?(?!\d)",  # 1,000.50 and its like
        r"\d{1,3}(?:\.\d{3})+,\d+(?!\d)",  # 1.000,50
        r"\d{1,3}(?:\.\d{3}){2,}(?!\d)",  # 1.000.000
        r"\d{1,2}(?:,\d{2})*,\d{3}(?!\d)",  # 1,00,000
        r"\d+_[\d_]+",
        r"\d+,\d{1,2}(?!\d)",  # 0,8
        r"\d+(?:\.\d+)?|\.\d+",
    )
)
AMOUNT = late(
    rf"(?P<before>(?:[A-Z]{{1,3}})?[$€£¥₹]|(?:{_CURRENCY})\b)?\s*(?P<number>{_DIGITS})"
    rf"\s*(?P<unit>%|[$€£¥₹]|(?:percent|pct|{_CURRENCY}|{_UNIT}|{_COUNTED})(?![A-Za-z0-9_(.]))?"
    rf"(?P<after>\s*(?:[$€£¥₹]|(?:{_CURRENCY})\b))?",
    re.IGNORECASE | re.ASCII,
)
DAY = late(
    rf"(?:\d{{4}}(?P<sign>[-/.])\d{{1,2}}(?P=sign)\d{{1,2}}|\d{{1,2}}(?P<mark>[-/.])\d{{1,2}}(?P=mark)\d{{4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?[ -](?:{'|'.join(_MONTHS)})[a-z]*\.?[ -],?\s*\d{{4}}"
    rf"|(?:{'|'.join(_MONTHS)})[a-z]*\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}})"
    r"(?:[Tt ]\s*\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})?)?(?![\w.])"
    r"|\d{4}\u5e74\d{1,2}\u6708\d{1,2}\u65e5(?![\w.])"
    r"|\d{4}-?[Ww]\d{1,2}(?:-?[1-7])?(?![\w.])",
    re.IGNORECASE | re.ASCII,
)
_CHINESE = late(r"(\d{4})\u5e74(\d{1,2})\u6708(\d{1,2})\u65e5")
_TOGETHER = late(r"(\d{4})(\d{2})(\d{2})")
_WEEK = late(r"(\d{4})-?w(\d{1,2})(?:-?([1-7]))?")
_ISO = late(r"P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_PARTS = late(
    r"(?P<day>.+?)(?:[Tt ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<second>:\d{2}(?:\.\d+)?)?\s*"
    r"(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)


@frozen
class Quantity:
    """A number and what stood with it: a unit in small letters, `%`, `currency`, or nothing."""

    number: int | float
    unit: str


def quantity(text: str) -> Quantity | None:
    """Return the number that a text says in another way: `1,000`, `０.８`, `80%`, `$100`, `5k`, `24 hours`."""
    if len(text) > TEXT_MAX:
        return None
    found = AMOUNT.fullmatch(plainly(text).strip().removeprefix("+"))
    negative = found is None and plainly(text).strip().startswith("-")
    if negative:
        found = AMOUNT.fullmatch(plainly(text).strip()[1:])
    if found is None:
        return None
    said = quantity_of(found)
    return Quantity(-said.number, said.unit) if negative else said


def quantity_of(found: re.Match[str]) -> Quantity:
    """Return what AMOUNT found."""
    unit = (found["unit"] or "").lower()
    if unit in ("percent", "pct"):
        unit = "%"
    elif (unit and unit not in MULTIPLES and unit not in SECONDS and unit != "%") or (found["before"] and not unit):
        unit = "currency" if not re.fullmatch(_COUNTED, unit) else ""
    return Quantity(number_of(found["number"]), unit)


_SIGNS = {
    "$": "USD",
    "\u20ac": "EUR",
    "\xa3": "GBP",
    "\u20b9": "INR",
    "S$": "SGD",
    "US$": "USD",
    "HK$": "HKD",
    "A$": "AUD",
}


def currency_of(said: str) -> str | None:
    """Return the code of the currency that an amount names: `$1,000`, `1000 SGD`; None where it names no one."""
    found = re.findall(r"[A-Za-z]{0,2}[$\u20ac\xa3\u20b9]|[A-Za-z]{3}", said)
    codes = {_SIGNS.get(one.upper(), one.upper()) for one in found}
    return codes.pop() if len(codes) == 1 else None


def number_of(digits: str) -> int | float:
    """Return the number that digits with separators mean: `1,000`, `1.000,5`, `1 000`, `0,8`, `1_000`."""
    digits = re.sub("[' _]", "", digits)
    if "," in digits and "." in digits:
        comma_last = digits.rindex(",") > digits.rindex(".")
        digits = digits.replace(".", "").replace(",", ".") if comma_last else digits.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(?:,\d{2,3})*,\d{3}", digits):
        digits = digits.replace(",", "")
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    digits = digits.replace(",", ".")
    return int(digits) if digits.isdecimal() else float(digits)


def plain_number(said: Quantity, *, within: tuple[float, float] | None = None) -> str:
    """Return a quantity as a policy writes it. within: the field's range, by which a share is a fraction or not."""
    number = said.number
    if said.unit == "%" and not (within is not None and within[1] > 1):
        number = number / 100
    elif said.unit in MULTIPLES:
        number = number * MULTIPLES[said.unit]
    return about(number)


def on_scale(value: object, low: object, high: object) -> str | None:
    """Return a number that lies outside of a range as a share, or in per cent, where that lies inside."""
    if isinstance(value, int | float) and isinstance(low, int | float) and isinstance(high, int | float):
        meant = value / 100 if high <= 1 else value * 100
        return about(meant) if low < meant <= high else None
    return None


def duration_text(said: Quantity) -> str | None:
    """Return a quantity as a duration, `24h`; None where its unit is none of time."""
    if said.unit not in SECONDS:
        return None
    return length_text(timedelta(seconds=said.number * SECONDS[said.unit]), SECONDS[said.unit])


def length_text(length: timedelta, longest: float = 3600) -> str:
    """Return a length as people write it, in one unit: `720h`, `90m`, `45s`, `300ms`.

    longest: seconds of the unit in which it was said, so that 30 days are `30d`, and 720 hours `720h`.
    """
    sign, length = ("-", -length) if length < timedelta() else ("", length)
    for unit, name in _SHORT:
        if unit <= max(longest, 3600) and not length % timedelta(seconds=unit) and (unit < 604_800 or longest == unit):
            return f"{sign}{length // timedelta(seconds=unit)}{name}"
    return f"{sign}{about(length / timedelta(milliseconds=1))}ms"


def duration_meant(text: str) -> str | None:
    """Return the duration that a text means: `30 days` is `720h`, `1 day 12 hours` is `36h`; None where it is none."""
    if len(text) > TEXT_MAX:
        return None
    if (iso := _ISO.fullmatch(text.strip())) is not None:
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        return length_text(length, 604_800 if weeks else 86_400 if days else 3600)
    total, longest = timedelta(), 0.0
    rest = plainly(text).strip()
    while rest:
        found = AMOUNT.match(rest)
        if found is None or (said := quantity_of(found)).unit not in SECONDS:
            return None
        total += timedelta(seconds=said.number * SECONDS[said.unit])
        longest = max(longest, SECONDS[said.unit])
        rest = rest[found.end() :].lstrip(" ,").removeprefix("and ").lstrip()
    text = length_text(total, longest)
    try:
        parse_duration(text)
    except EvaluationError:
        return None
    return text


def timestamp_meant(text: str) -> str | None:
    """Return the moment that a day, or a day and a time, means: `2026-11-30` is `2026-11-30T00:00:00Z`.

    A day begins in UTC where no zone is said. None where it is no day, or could be two: 03/04/2026.
    """
    text = _CHINESE.sub(r"\1-\2-\3", plainly(text).strip())
    if len(text) > TEXT_MAX or not (DAY.fullmatch(text) or _TOGETHER.fullmatch(text)):
        return None
    parts = _PARTS.fullmatch(text)
    day = date_meant(parts["day"]) if parts is not None else None
    if parts is None or day is None:
        return None
    zone = (parts["zone"] or "Z").upper().replace("UTC", "Z").replace("GMT", "Z")
    zone = f"{zone[:3]}:{zone[3:]}" if len(zone) == 5 else zone
    clock = f"{int(parts['hour'] or 0):02d}:{parts['minute'] or '00'}{parts['second'] or ':00'}"
    said = f"{day}T{clock}{zone}"
    try:
        parse_timestamp(said)
    except EvaluationError:
        return None
    return said


def date_meant(text: str) -> str | None:
    """Return a day as year-month-day; None where it is none, or could be two."""
    said = plainly(text).strip().lower()
    year: str | int
    if (found := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", said)) or (found := _TOGETHER.fullmatch(said)):
        year, month, day = (int(part) for part in found.groups())
    elif found := _WEEK.fullmatch(said):
        year, week, weekday = (int(part or 1) for part in found.groups())
        try:
            return date.fromisocalendar(year, week, weekday).isoformat()
        except ValueError:
            return None
    elif found := re.fullmatch(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", said):
        day, month, year = (int(part) for part in found.groups())
        if month > 12 >= day:
            day, month = month, day
        elif month <= 12 and day <= 12 and day != month:
            return None
    else:
        words = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", said))
        named = next((at for at, word in enumerate(words) if word[:3] in _MONTHS), None)
        if named is None or len(words) != 3:
            return None
        month = _MONTHS.index(words.pop(named)[:3]) + 1
        if not all(word.isdigit() for word in words):
            return None
        first, second = map(int, words)
        year, day = (first, second) if first > 31 else (second, first)
    try:
        return datetime(year, month, day).date().isoformat()  # a calendar day
    except ValueError:
        return None


def is_week(text: str) -> bool:
    """Whether a text names a week, such as 2025-W05, whose Monday is then what `date_meant` returns."""
    found = _WEEK.fullmatch(plainly(text).strip().lower())
    return found is not None and found.group(3) is None


def is_two_days(text: str) -> tuple[str, str] | None:
    """Return both days that a text such as 03/04/2026 can mean; None where it means one or none."""
    found = re.fullmatch(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", plainly(text).strip())
    if found is None:
        return None
    one, other, year = (int(part) for part in found.groups())
    if one == other or not (1 <= one <= 12 and 1 <= other <= 12):
        return None
    return f"{year:04d}-{other:02d}-{one:02d}", f"{year:04d}-{one:02d}-{other:02d}"
