"""What the commands share: their common options, a session with the node, how a record is sent, how tables are shown.

Nothing heavy is imported here: `mutua status` loads the standard library, cyclopts, msgspec and a few small modules.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, Token

from ledger.errors import MutuaError, RuleBroken
from node.api.client import Client
from node.api.standing import waiting_words
from node.api.text import Units, clean, clean_json, read_whole
from node.api.views.base import to_json
from node.api.views.chain import Receipt
from node.api.views.claims import CLAIM, CLAIMS, Claim
from node.api.views.coop import PROVIDERS, Plan
from node.api.views.members import MEMBERS
from node.api.views.node import Status
from node.cli.undo import CANNOT_UNDO
from node.reading import read_bytes

if TYPE_CHECKING:
    from node.config import Config

ID_DIGITS = 64
ID_PREFIX_MIN = 6
WAIT_STEP_S = 0.3
DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Printing:
    """How a command answers."""

    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")] = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common(Printing):
    """Options that every command of a node takes."""

    data_dir: Annotated[
        Path | None, Parameter(name=("--data-dir", "-d"), help="The node's data folder (or MUTUA_DATA_DIR).")
    ] = None

    def config(self, **flags: str | None) -> Config:
        """Return the settings with these flags."""
        from node.config import load_config

        return load_config(self.data_dir, flags)

    @property
    def folder(self) -> Path:
        """The data folder, whatever its settings say."""
        from node.config import find_root

        return find_root(self.data_dir)[0]

    def client(self) -> Client:
        """Return a client of the node's API; nothing is asked yet."""
        config = self.config()
        return Client(config.api_socket, advise=config.folder.advice_when_off)

    def session(self) -> Session:
        """Return a session with the running node; nothing is asked yet."""
        return Session(self.client())


PRINT, DEFAULT = Printing(), Common()
Flag = Annotated[bool, Parameter(negative="")]


def _whole(_hint: object, tokens: Sequence[Token]) -> int:
    found = read_whole(tokens[0].value)
    if found is None:
        raise ValueError(f"{tokens[0].value!r} is not a whole number; write digits only, such as 12")
    return found


def _decimal(_hint: object, tokens: Sequence[Token]) -> float:
    if not DECIMAL.fullmatch(tokens[0].value):
        raise ValueError(f"{tokens[0].value!r} is not a number; write digits, such as 12 or 0.5")
    return float(tokens[0].value)


Whole = Annotated[int, Parameter(converter=_whole)]
"""The integer of every option: cyclopts' own rounds 1.9 to 2 and takes 0x10."""
Real = Annotated[float, Parameter(converter=_decimal)]
"""The same for numbers with a fraction."""
ClaimId = Annotated[str, Parameter(help="The claim's id, or its first digits.")]
NewBundle = Annotated[Path, Parameter(help="The bundle to write; an existing file is never overwritten.")]


# ---- Printing ---------------------------------------------------------------------


def say(printing: Printing, value: Any, text: Callable[[], Iterable[str]] | str) -> int:
    """Print `value` as JSON where asked, else the text; return exit code 0."""
    if printing.json:
        print_json(value)
    else:
        for line in [text] if isinstance(text, str) else text():
            print(clean(line, None))
    return 0


def print_json(value: Any) -> None:
    """Print a value of the API, or of ours, as JSON."""
    print(clean_json(json.dumps(to_json(value), indent=2, ensure_ascii=False)))


Row = Sequence[object]


def table(heads: Sequence[str], rows: Iterable[Row], empty: str = "") -> list[str]:
    """Return aligned lines, numbers to the right; without rows `empty`, or the heads alone.

    >>> table(("code", "units"), [("G0101", 2), ("A1", 13)])
    ['code   units', 'G0101      2', 'A1        13']
    """
    cells = [[("–" if cell is None else str(cell)) for cell in row] for row in rows]
    if empty and not cells:
        return [empty]
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


# ---- A session with the node ---------------------------------------------------------


class Session:
    """One command's talk with the node: its status is asked once, and whole ids are found from first digits."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.view = client.view

    @cached_property
    def status(self) -> Status:
        """Where the node stands."""
        return self.client.status()

    @cached_property
    def units(self) -> Units:
        """How this co-op writes money."""
        return units_of(self.status)

    @property
    def chain_id(self) -> bytes:
        """The chain of the node."""
        return bytes.fromhex(self.status.chain_id)

    @property
    def member(self) -> str:
        """The node's member. MutuaError `not_a_member` on a node that only follows."""
        if not self.status.member:
            what = "this node only follows the ledger; its key does not belong to a member"
            raise RuleBroken("not_a_member", what, "run this on a member's node")
        return self.status.member

    def member_or(self, text: str) -> str:
        """Return the key of the member that is named, or of this node's."""
        return self.member_id(text) if text else self.member

    def claim_id(self, text: str) -> str:
        """Return the whole id of a claim."""
        return full_id(text, lambda: (item.claim for item in self.view(CLAIMS)), "claim")

    def claim(self, text: str) -> Claim:
        """Return a claim by its id, or its first digits."""
        return self.view(CLAIM, id=self.claim_id(text))

    def member_id(self, text: str) -> str:
        """Return the whole key of a member."""
        return full_id(text, lambda: (item.member for item in self.view(MEMBERS)), "member")

    def provider_key(self, text: str) -> str:
        """Return the key of a listed provider, by its identifier or key. MutuaError `provider_unknown`."""
        providers = self.view(PROVIDERS)
        found = [item.key for item in providers if text in (item.identifier, item.key)]
        if not found:
            known = ", ".join(item.identifier for item in providers[:5])
            hint = f"listed are: {known}" if known else "ask the members to list it"
            raise MutuaError("provider_unknown", f"the co-op lists no provider {text!r}", hint)
        return found[0]


def units_of(status: Status) -> Units:
    """Return how a co-op writes money and time."""
    return Units(status.currency, status.exponent, status.block_interval_ms or Units().interval_ms, status.day_one)


def read_amount(units: Units, text: str, name: str = "amount") -> int:
    """Return minor units of an amount as people write it; nothing is rounded. MutuaError `amount`."""
    amount = units.parse(text)
    if amount is None:
        hint = f"write it with at most {units.exponent} decimals, such as 120"
        raise MutuaError("amount", f"{name} {text!r} is not an amount of {units.currency}", hint)
    return amount


def read_day(text: str, status: Status) -> int:
    """Return the height of a day: a height as it is, a date from the charter's day one on. MutuaError `day`."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    try:
        height = (date.fromisoformat(text) - date.fromisoformat(status.day_one)).days + 1
    except ValueError:
        what = f"day {text!r} is neither a height nor a date"
        raise MutuaError("day", what, "write it as 2026-01-31 or as a block height") from None
    if height < 1:
        what = f"{text} lies before the co-op's first day, {status.day_one}"
        raise MutuaError("day", what, "claims begin with the co-op")
    return height


def plan_named(plans: Iterable[Plan], name: str) -> Plan:
    """Return the plan of this name. MutuaError `not_found`."""
    known = {item.name: item for item in plans}
    if name not in known:
        raise MutuaError("not_found", f"there is no plan {name!r}", f"plans: {', '.join(sorted(known))}")
    return known[name]


def full_id(text: str, known: Callable[[], Iterable[str]], kind: str) -> str:
    """Return the whole id that begins with `text`: the first digits are enough where they name one. MutuaError `id`."""
    wanted = text.strip().lower()
    if not ID_PREFIX_MIN <= len(wanted) <= ID_DIGITS or any(letter not in "0123456789abcdef" for letter in wanted):
        what = f"{text!r} is not a valid {kind} id"
        raise MutuaError("id", what, f"give at least its first {ID_PREFIX_MIN} hex digits")
    if len(wanted) == ID_DIGITS:
        return wanted
    found = sorted({item for item in known() if item.startswith(wanted)})
    if not found:
        what = f"no {kind} begins with {wanted}"
        raise MutuaError("not_found", what, "check the id, or ask a node that is in sync")
    if len(found) > 1:
        raise MutuaError("id", f"{wanted} begins {len(found)} {kind}s", "give more digits")
    return found[0]


def whole_key(text: str, whose: str) -> str:
    """Return a public key of 64 hex digits. MutuaError `id`: a key that the ledger does not know has no short form."""
    if len(text.strip()) != ID_DIGITS:
        raise MutuaError("id", f"{text!r} is not a valid key of {whose}", f"give all its {ID_DIGITS} hex digits")
    return full_id(text, lambda: (), whose)


def read_file(file: Path, hint: str = "name an existing file") -> bytes:
    """Return a file's bytes. MutuaError `file_unreadable`."""
    try:
        return read_bytes(file)
    except OSError as error:
        raise MutuaError("file_unreadable", f"{file} cannot be read ({error.strerror})", hint) from None


# ---- Reviewing, signing, waiting ------------------------------------------------------


@Parameter(name="*")
@dataclass(frozen=True)
class Asking:
    """How a command that changes something asks before it does."""

    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="", help="Do not ask before.")] = False

    def is_confirmed(self, common: Common, kind: str, review: Iterable[str], question: str) -> bool:
        """True with --yes, or after a person read `review` and said yes.

        Where nobody can be asked only what can be taken back goes on. MutuaError `not_confirmed` for the rest.
        """
        if self.yes:
            return True
        if common.json or not is_live():
            if kind not in CANNOT_UNDO:
                return True
            what = f"nobody can be asked here, and this cannot be undone: {CANNOT_UNDO[kind]}"
            raise MutuaError("not_confirmed", what, "give --yes if you mean it; nothing was sent")
        for line in review:
            print(clean(line, None))
        return input(f"{clean(question, None)} [y/N] ").strip().lower() in ("y", "yes")


@Parameter(name="*")
@dataclass(frozen=True)
class Waiting:
    """How a submitted record is waited for."""

    wait: Annotated[Real, Parameter(help="Seconds to wait until the record is final.")] = 0.0
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="", help="Print the record's id only.")] = False

    def report(self, common: Common, session: Session, answer: Receipt, done: str, *, then: str = "") -> int:
        """Print what became of a submitted record, with --wait its end, and what to do `then`. RuleBroken: refused."""
        receipt = wait_final(session.client, answer.record_id, self.wait) if self.wait > 0 else answer
        check_receipt(receipt)
        is_final, name = receipt.state == "final", answer.record_id
        if self.quiet and not common.json:
            return say(common, {}, name)
        place = f"it is final in block {receipt.height}" if is_final else f"it is {waiting_words(session.status)}"
        next_words = f"\nnext: {then}" if then else ""
        return say(
            common,
            {**to_json(answer), **to_json(receipt)},
            f"{done}: {place}\ncheck its receipt: mutua vote verify {name}{next_words}",
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Sending(Asking, Waiting):
    """How a record is sent: reviewed first, and waited for if asked."""

    def send(
        self,
        common: Common,
        session: Session,
        kind: str,
        body: Mapping[str, Any],
        *,
        review: Iterable[str],
        question: str,
        done: str,
    ) -> int:
        """Review, let the node sign and send a record, and say that it is `done`."""
        if not self.is_confirmed(common, kind, review, question):
            return say(common, {}, "nothing was sent")
        return self.report(common, session, session.client.submit(kind, body), done)


ASK, WAIT, SEND = Asking(), Waiting(), Sending()


def wait_final(client: Client, record_id: str, wait_s: float) -> Receipt:
    """Return the receipt of a record, asked again until it is final or refused, or the time is over."""
    deadline = time.monotonic() + wait_s
    while True:
        receipt = client.record(record_id)
        if receipt.state != "pending" or time.monotonic() >= deadline:
            return receipt
        time.sleep(WAIT_STEP_S)


def check_receipt(receipt: Receipt) -> None:
    """Raise RuleBroken with the reason when a record was refused."""
    if receipt.state == "refused":
        reason = receipt.reason
        if reason is None:
            raise RuleBroken("refused", "the record was refused", "")
        raise RuleBroken(reason.code, reason.what, reason.hint)


def is_live() -> bool:
    """True when a person watches: questions may be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()
