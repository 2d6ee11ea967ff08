"""How the CLI and the screens write: other people's text made harmless, ids, shares, counts, money, spans, refusals.

Amounts are minor units of the co-op's currency, shares are basis points (1 bp = 1/10,000).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

TEXT_SHOWN_MAX = 2_000
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
AMOUNT = re.compile(r"(\d{1,3}(?:,\d{3}){1,4}|\d{1,13})(?:\.(\d*))?", re.ASCII)
"""Commas only where thousands are: 1,5 is not an amount, for it could mean two."""
DAYS = re.compile(
    r"\b[Dd]ays?(?: of suspension| after)? \d{1,7}(?: to (?:\d{1,7}|now)| on)?"
    r"(?:, \d{1,7} (?:to (?:\d{1,7}|now)|on))*\b",
    re.ASCII,
)
"""Days by their numbers, as the rules write them: day 4, days 4 to 6, days 1 to 9, 12 to now."""
DIGITS = re.compile(r"\d+", re.ASCII)


def refusal(what: object, hint: object, rule: object = "") -> str:
    """Return why something was refused: what happened, what can be done now, the section of the rules that refuses.

    >>> refusal("the case was denied in block 9", "see why", "§6")
    'the case was denied in block 9; see why (rules §6)'
    """
    words = f"{clean(what)}; {clean(hint)}" if hint else clean(what)
    return f"{words} (rules {clean(rule)})" if rule else words


def clean(text: object, limit: int | None = TEXT_SHOWN_MAX) -> str:
    r"""Return other people's text without anything that steers a terminal or turns the reading direction.

    >>> clean("a\x1b[2Jb")
    'a·[2Jb'
    """
    shown = "".join(part if part == "\n" or part.isprintable() or part == "\xa0" else "·" for part in str(text))
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def clean_json(text: str) -> str:
    r"""Return JSON text with the same characters as escapes: it says the same to a program, and nothing to a terminal.

    >>> clean_json('["\u202e", "\x9b2J", "é"]')
    '["\\u202e", "\\u009b2J", "é"]'
    """
    return "\n".join(line if line.isprintable() else "".join(map(_escaped, line)) for line in text.split("\n"))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def short(identifier: object, digits: int = 12) -> str:
    """Return the first digits of a long id: enough to name it in a command.

    >>> short("0123456789abcdef"), short(None)
    ('0123456789ab', '–')
    """
    return clean(str(identifier or "–")[:digits])


def brief(identifier: str) -> str:
    """Return the first 8 characters of a long id: enough to tell two apart on a screen.

    >>> brief("0123456789abcdef")
    '01234567…'
    """
    return clean(identifier if len(identifier) <= 9 else identifier[:8] + "…")


def read_whole(text: str) -> int | None:
    """Return a whole number as people type it, None for anything else: nothing is rounded or guessed.

    >>> read_whole("-12"), read_whole("1.9"), read_whole("0x10"), read_whole("1_0"), read_whole("١")
    (-12, None, None, None, None)
    """
    return int(text) if WHOLE.fullmatch(text) else None


def hex_bytes(text: str) -> bytes:
    r"""Return the bytes of hexadecimal digits; none where they are none.

    >>> hex_bytes("ff"), hex_bytes("fx")
    (b'\xff', b'')
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def percent(basis_points: int | None) -> str:
    """Return basis points as a percentage.

    >>> percent(7500), percent(6666), percent(None)
    ('75 %', '66.66 %', '–')
    """
    return "–" if basis_points is None else f"{basis_points / 100:g} %"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "ballot"), counted(3, "ballot")
    ('1 ballot', '3 ballots')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(frozen=True, slots=True)
class Units:
    """How this co-op writes money and days, and how long its blocks take."""

    currency: str = "USD"
    exponent: int = 2
    interval_ms: int = DAY_S * 1000
    day_one: str = ""
    """The date of day 1; empty where it is not known."""

    def figure(self, amount: int | None) -> str:
        """Return an amount without the currency.

        >>> Units().figure(123456), Units(exponent=0).figure(1234), Units().figure(None)
        ('1,234.56', '1,234', '–')
        """
        if amount is None:
            return "–"
        if self.exponent == 0:
            return f"{amount:,}"
        whole, part = divmod(abs(amount), 10**self.exponent)
        return f"{'-' if amount < 0 else ''}{whole:,}.{part:0{self.exponent}d}"

    def money(self, amount: int | None) -> str:
        """Return an amount with the currency.

        >>> Units().money(123456)
        '1,234.56 USD'
        """
        return "–" if amount is None else f"{self.figure(amount)} {clean(self.currency, 8)}"

    def parse(self, text: str) -> int | None:
        """Return what a person typed as minor units, None if it is not an amount. Nothing is rounded.

        >>> Units().parse("1,234.5"), Units().parse("1.234"), Units().parse("1,5"), Units(exponent=0).parse("5000")
        (123450, None, None, 5000)
        """
        found = AMOUNT.fullmatch(text.strip().replace(" ", ""))
        part = "" if found is None else (found[2] or "").rstrip("0")
        if found is None or len(part) > self.exponent:
            return None
        return int(found[1].replace(",", "")) * 10**self.exponent + int(part.ljust(self.exponent, "0") or "0")

    def span(self, blocks: int) -> str:
        """Return how long some blocks take, roughly.

        >>> Units(interval_ms=2000).span(45), Units().span(58)
        ('about 1 min 30 s', 'about 58 days')
        """
        seconds = blocks * self.interval_ms // 1000
        if seconds < MINUTE_S:
            return f"about {seconds} s"
        if seconds < HOUR_S:
            minutes, rest = divmod(seconds, MINUTE_S)
            return f"about {minutes} min {rest} s" if rest else f"about {minutes} min"
        if seconds < DAY_S:
            return f"about {seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S} min"
        return "about " + counted(seconds // DAY_S, "day")

    def day(self, number: int | None) -> str:
        """Return a day with its date.

        >>> Units(day_one="2026-01-01").day(24), Units().day(24), Units().day(None)
        ('2026-01-24 (day 24)', 'day 24', '–')
        """
        if number is None:
            return "–"
        return f"{date_of(number, self.day_one)} (day {number})" if self.day_one else f"day {number}"

    def days(self, first: int, last: int) -> str:
        """Return a service's days with their dates.

        >>> Units(day_one="2026-01-01").days(24, 26)
        '2026-01-24 to 2026-01-26 (days 24 to 26)'
        """
        if first == last:
            return self.day(first)
        numbers = f"days {first} to {last}"
        return (
            f"{date_of(first, self.day_one)} to {date_of(last, self.day_one)} ({numbers})" if self.day_one else numbers
        )


def date_of(number: int, day_one: str) -> str:
    """Return the date of a day; day 1 is `day_one`.

    >>> date_of(24, "2026-01-01"), date_of(0, "2026-01-01")
    ('2026-01-24', '2025-12-31')
    """
    from datetime import date, timedelta

    try:
        return str(date.fromisoformat(day_one) + timedelta(days=number - 1))
    except OverflowError:
        return "–"


def dated(text: str, day_one: str) -> str:
    """Return a sentence of the rules, which know days by their numbers, with the dates.

    >>> dated("line 1 is of days 25 to 26; today is day 24", "2026-01-01")
    'line 1 is of days 25 (2026-01-25) to 26 (2026-01-26); today is day 24 (2026-01-24)'
    >>> dated("of day 3, 800.00 USD; cover held on days 1 to 2, 5 to now", "2026-01-01")
    'of day 3 (2026-01-03), 800.00 USD; cover held on days 1 (2026-01-01) to 2 (2026-01-02), 5 (2026-01-05) to now'
    """
    if not day_one:
        return text
    return DAYS.sub(lambda found: DIGITS.sub(lambda day: f"{day[0]} ({date_of(int(day[0]), day_one)})", found[0]), text)


def clock(time_ms: int) -> str:
    """Return a time for people, in UTC so that two members see the same.

    >>> clock(0)
    '1970-01-01 00:00:00'
    """
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "–"
