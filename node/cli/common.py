"""What the commands share: the two options of all of them, the client, and how ids, money and tables are shown.

Nothing heavy is imported here: `mutua status` loads the standard library, cyclopts and two small modules.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ledger.errors import MutuaError, RuleBroken
from node.api.client import Client

if TYPE_CHECKING:
    from node.config import Config

ID_DIGITS = 64
ID_SHOWN = 12
"""Digits of an id in a table: enough to tell two apart and to name one."""
ID_PREFIX_MIN = 6
WAIT_STEP_S = 0.3
UNITS_MAX = 10**12


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common:
    """Options that every command of a node takes."""

    data_dir: Annotated[
        Path | None, Parameter(name=("--data-dir", "-d"), help="The node's data folder (or MUTUA_DATA_DIR).")
    ] = None
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")] = False

    def config(self, **flags: str | None) -> Config:
        """Return the settings with these flags."""
        from node.config import load_config

        return load_config(self.data_dir, flags)

    def client(self) -> Client:
        """Return a client of the node's API; nothing is asked yet."""
        return Client(self.config().api_socket)


DEFAULT = Common()


# ---- Printing ---------------------------------------------------------------------


def say(common: Common, value: Any, text: Callable[[], Iterable[str]] | str) -> int:
    """Print `value` as JSON where asked, else the text; return exit code 0."""
    if common.json:
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        for line in [text] if isinstance(text, str) else text():
            print(printable(line))
    return 0


def printable(text: str) -> str:
    """Return `text` without what could move a terminal's cursor: names and reasons are other people's words."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return aligned lines, numbers to the right; the heads alone when there is no row.

    >>> table(("code", "units"), [("G0101", 2), ("A1", 13)])
    ['code   units', 'G0101      2', 'A1        13']
    """
    cells = [[("–" if cell is None else str(cell)) for cell in row] for row in rows]
    lines = [list(heads), *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(heads))]
    right = [bool(cells) and all(_is_figure(row[index]) for row in cells) for index in range(len(heads))]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]


def _is_figure(text: str) -> bool:
    return text == "–" or text.split(" ", maxsplit=1)[0].replace(",", "").replace(".", "").lstrip("-").isdigit()


def short(identifier: object) -> str:
    """Return the first digits of a long id."""
    text = str(identifier or "–")
    return text if len(text) <= ID_SHOWN else text[:ID_SHOWN]


def percent(basis_points: int) -> str:
    """Return basis points as a percentage.

    >>> percent(7500), percent(8050)
    ('75 %', '80.5 %')
    """
    return f"{basis_points / 100:g} %"


# ---- Money and days ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Money:
    """How the co-op's amounts are written and read."""

    currency: str
    exponent: int

    @staticmethod
    def of(status: Mapping[str, Any]) -> Money:
        """Return the co-op's way, from the answer of `/v1/status`."""
        return Money(str(status.get("currency", "USD")), int(status.get("exponent", 2)))

    def show(self, amount: int | None) -> str:
        """Return an amount of minor units for people.

        >>> Money("USD", 2).show(123456), Money("XAF", 0).show(5000), Money("USD", 2).show(None)
        ('1,234.56 USD', '5,000 XAF', '–')
        """
        if amount is None:
            return "–"
        sign, amount = ("-" if amount < 0 else ""), abs(amount)
        if self.exponent == 0:
            return f"{sign}{amount:,} {self.currency}"
        whole, part = divmod(amount, 10**self.exponent)
        return f"{sign}{whole:,}.{part:0{self.exponent}d} {self.currency}"

    def read(self, text: str, name: str = "amount") -> int:
        """Return minor units of an amount as people write it; nothing is rounded. MutuaError `amount`.

        >>> Money("USD", 2).read("1234.5"), Money("XAF", 0).read("5000")
        (123450, 5000)
        """
        whole, dot, part = text.strip().partition(".")
        is_number = whole.isascii() and whole.isdigit() and (not dot or (part.isascii() and part.isdigit()))
        if not is_number or len(part.rstrip("0")) > self.exponent or len(whole) > len(str(UNITS_MAX)):
            raise MutuaError(
                "amount",
                f"{name} {text!r} is no amount of {self.currency}",
                f"write it with at most {self.exponent} decimals, such as 120",
            )
        return int(whole) * 10**self.exponent + int(
            (part.rstrip("0") or "0").ljust(self.exponent, "0") if self.exponent else 0
        )


def read_day(text: str, status: Mapping[str, Any]) -> int:
    """Return the height of a day: a height as it is, a date from the charter's day one on. MutuaError `day`."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    try:
        height = (date.fromisoformat(text) - date.fromisoformat(str(status["day_one"]))).days + 1
    except (ValueError, KeyError):
        raise MutuaError(
            "day", f"day {text!r} is neither a height nor a date", "write it as 2026-01-31 or as a block height"
        ) from None
    if height < 1:
        raise MutuaError(
            "day", f"{text} lies before the co-op's first day, {status['day_one']}", "claims begin with the co-op"
        )
    return height


# ---- Members, ids, waiting -----------------------------------------------------------


def own_member(status: Mapping[str, Any]) -> str:
    """Return this node's member key. MutuaError `not_a_member` on a node that only follows."""
    member = status.get("member")
    if not member:
        raise RuleBroken(
            "not_a_member", "this node follows the ledger; its key is no member's", "act from a member's node"
        )
    return str(member)


def full_id(text: str, known: Callable[[], Iterable[str]], kind: str) -> str:
    """Return the whole id that begins with `text`: the first digits are enough where they name one. MutuaError `id`."""
    wanted = text.strip().lower()
    if (
        len(wanted) < ID_PREFIX_MIN
        or any(letter not in "0123456789abcdef" for letter in wanted)
        or len(wanted) > ID_DIGITS
    ):
        raise MutuaError("id", f"{text!r} is no id of a {kind}", f"give at least its first {ID_PREFIX_MIN} hex digits")
    if len(wanted) == ID_DIGITS:
        return wanted
    found = sorted({item for item in known() if item.startswith(wanted)})
    if not found:
        raise MutuaError(
            "not_found", f"no {kind} begins with {wanted}", "check the id, or wait until the node is in step"
        )
    if len(found) > 1:
        raise MutuaError("id", f"{wanted} begins {len(found)} {kind}s", "give more digits")
    return found[0]


def claim_id(client: Client, text: str) -> str:
    """Return the whole id of a claim."""
    return full_id(text, lambda: (str(item["claim"]) for item in client.view("claims")), "claim")


def member_id(client: Client, text: str) -> str:
    """Return the whole key of a member."""
    return full_id(text, lambda: (str(item["member"]) for item in client.view("members")), "member")


def provider_key(client: Client, text: str) -> str:
    """Return the key of a listed provider, by its identifier or key. MutuaError `provider_unknown`."""
    providers = client.view("providers")
    found = [str(item["key"]) for item in providers if text in (item["identifier"], item["key"])]
    if not found:
        known = ", ".join(str(item["identifier"]) for item in providers[:5])
        raise MutuaError(
            "provider_unknown",
            f"the co-op lists no provider {text!r}",
            f"listed are: {known}" if known else "ask the members to list it",
        )
    return found[0]


def wait_final(client: Client, record_id: str, wait_s: float) -> dict[str, Any]:
    """Return the receipt of a record, asked again until it is final or refused, or the time is over."""
    deadline = time.monotonic() + wait_s
    while True:
        receipt = dict(client.record(record_id))
        if receipt.get("state") != "pending" or time.monotonic() >= deadline:
            return receipt
        time.sleep(WAIT_STEP_S)


def report_submission(
    common: Common, client: Client, answer: Mapping[str, Any], what: str, wait_s: float, *, then: str = ""
) -> int:
    """Print what became of a submitted record, with `wait_s` its end, and what to do `then`.

    RuleBroken when it was refused meanwhile.
    """
    receipt = wait_final(client, str(answer["record_id"]), wait_s) if wait_s > 0 else dict(answer)
    check_receipt(receipt)
    place = (
        f"it is final in block {receipt['height']}"
        if receipt.get("state") == "final"
        else "it is on disk and on its way"
    )
    return say(
        common,
        {**answer, **receipt},
        f"{what}: {place}\nreceipt {answer['record_id']}; check it: mutua vote verify {short(answer['record_id'])}"
        + (f"\nnext: {then}" if then else ""),
    )


def check_receipt(receipt: Mapping[str, Any]) -> None:
    """Raise RuleBroken with the reason when a record was refused."""
    if receipt.get("state") == "refused":
        reason = dict(receipt.get("reason") or {})
        raise RuleBroken(
            str(reason.get("code", "refused")),
            str(reason.get("what", "the record was refused")),
            str(reason.get("hint", "")),
        )


def is_confirmed(common: Common, *, yes: bool, review: Iterable[str], question: str) -> bool:
    """True when the action may go on.

    With --yes, with --json, where nobody watches, or after a person read `review` and said yes.
    """
    if yes or common.json or not is_live():
        return True
    for line in review:
        print(printable(line))
    return input(f"{printable(question)} [y/N] ").strip().lower() in ("y", "yes")


def is_live() -> bool:
    """True when a person watches: questions may be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()
