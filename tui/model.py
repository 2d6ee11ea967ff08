"""What the screens show, made from the local API's answers.

No screen reads JSON itself; nothing here touches a terminal.

Amounts are minor units of the co-op's currency, times are block heights, shares are basis points (1 bp = 1/10,000).
Text that other people wrote goes through `clean` before it reaches a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tui.text import Units, clean, counted, percent, short

Json = Mapping[str, Any]

CHOICES = ("accept", "deny", "abstain")
REASON_SIZE_MAX = 280
"""Characters; the rule refuses longer reasons."""


# ---- Reading JSON -----------------------------------------------------------
def _int(item: Json, name: str, default: int = 0) -> int:
    value = item.get(name)
    return value if isinstance(value, int) else default


def _text(item: Json, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _list(item: Json, name: str) -> Sequence[Json]:
    value = item.get(name)
    return cast("Sequence[Json]", value) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a claim's evidence: its hash names it on the ledger and in the documents folder."""

    hash: str
    size_bytes: int
    media: str

    @classmethod
    def of(cls, item: Json) -> Document:
        """Return the document of JSON."""
        return cls(_text(item, "hash"), _int(item, "size_bytes"), _text(item, "media"))

    def words(self) -> str:
        """Return what it is."""
        return f"{clean(self.media, 40) or 'document'}, {self.size_bytes:,} bytes"


@dataclass(frozen=True, slots=True)
class Ballot:
    """One member's live ballot."""

    voter: str
    choice: str
    award_cents: int | None
    reason: str
    height: int

    @classmethod
    def of(cls, item: Json) -> Ballot:
        """Return the ballot of JSON."""
        award = item.get("award_cents")
        return cls(
            _text(item, "voter"),
            _text(item, "choice"),
            award if isinstance(award, int) else None,
            _text(item, "reason"),
            _int(item, "height"),
        )


@dataclass(frozen=True, slots=True)
class Case:
    """A case as voters and its claimant see it.

    `seniority_bp` is for the claimant's eyes while the case is open (rules §7).
    """

    claim: str
    code: str
    status: str
    how: str
    s: int
    closes_at: int
    closed_height: int | None
    charges_cents: int
    award_cents: int
    benefit_cents: int
    eligible: int
    bar_bp: int
    seniority_bp: int
    quorum: int
    opened_needed: int
    yes: int
    no: int
    abstain: int
    opened: int
    streak: int
    streak_needed: int
    ballots: tuple[Ballot, ...]
    my_choice: str
    on_duty: bool
    provider: str
    evidence: tuple[Document, ...]
    evidence_version: int

    @classmethod
    def of(cls, item: Json) -> Case:
        """Return the case of JSON: of `needs_me`, or of a claim."""
        closed = item.get("closed_height")
        return cls(
            claim=_text(item, "claim"),
            code=_text(item, "code"),
            status=_text(item, "status"),
            how=_text(item, "how"),
            s=_int(item, "s"),
            closes_at=_int(item, "closes_at"),
            closed_height=closed if isinstance(closed, int) else None,
            charges_cents=_int(item, "charges_cents"),
            award_cents=_int(item, "award_cents"),
            benefit_cents=_int(item, "benefit_cents"),
            eligible=_int(item, "eligible"),
            bar_bp=_int(item, "bar_bp"),
            seniority_bp=_int(item, "seniority_bp"),
            quorum=_int(item, "quorum"),
            opened_needed=_int(item, "opened_needed"),
            yes=_int(item, "yes"),
            no=_int(item, "no"),
            abstain=_int(item, "abstain"),
            opened=_int(item, "opened"),
            streak=_int(item, "streak"),
            streak_needed=_int(item, "streak_needed"),
            ballots=tuple(Ballot.of(part) for part in _list(item, "ballots")),
            my_choice=_text(item, "my_choice"),
            on_duty=bool(item.get("on_duty")),
            provider=_text(item, "provider_id"),
            evidence=tuple(Document.of(part) for part in _list(item, "evidence")),
            evidence_version=_int(item, "evidence_version", 1),
        )

    @property
    def id(self) -> str:
        """Name the case among others."""
        return f"{self.claim}/{self.code}"

    @property
    def is_open(self) -> bool:
        """True while ballots may still count."""
        return self.status == "open"

    @property
    def cast(self) -> int:
        """Ballots that say yes or no."""
        return self.yes + self.no

    @property
    def yes_bp(self) -> int | None:
        """Share of accept among yes and no, rounded down; None without ballots."""
        return self.yes * 10_000 // self.cast if self.cast else None

    def time_left(self, height: int, units: Units) -> str:
        """Return how long ballots still count, in words."""
        left = self.closes_at - height
        if not self.is_open or left <= 0:
            return "voting is over"
        if left == 1:
            return f"last block, {units.span(1)}"
        return f"{left} blocks left, {units.span(left)}"

    def time_short(self, height: int, units: Units) -> str:
        """Return the same for a narrow column."""
        left = self.closes_at - height
        return (
            f"{counted(left, 'block')}, {units.span(left).removeprefix('about ')}"
            if self.is_open and left > 0
            else "over"
        )

    def tally_words(self) -> str:
        """Return the ballots in words."""
        tail = f", {self.abstain} abstain" if self.abstain else ""
        return f"{self.yes} accept, {self.no} deny{tail}"

    def quorum_words(self) -> str:
        """Return what is still missing until the ballots may decide."""
        if self.cast >= self.quorum and self.opened >= self.opened_needed:
            return f"enough ballots: {self.cast} of {self.quorum}"
        return (
            f"{self.cast} of {self.quorum} ballots needed, {self.opened} of {self.opened_needed} with document opened"
        )

    def bar_words(self) -> str:
        """Return the bar that the accepting share must reach, as everybody may see it."""
        so_far = "" if self.yes_bp is None else f"; {percent(self.yes_bp)} so far"
        return f"needs {percent(self.bar_bp)} accept{so_far}"

    def outcome(self, units: Units) -> str:
        """Return how it ended, or where it stands."""
        at = f" in block {self.closed_height}" if self.closed_height else ""
        match self.status:
            case "open":
                return "open"
            case "accepted":
                how = {
                    "vote": "by vote",
                    "small": "as a small claim",
                    "lapse": "after a second lapse",
                    "appeal": "on appeal",
                }.get(self.how, "")
                return f"accepted {how}{at}".replace("  ", " ") + f", award {units.money(self.award_cents)}"
            case "denied":
                return f"denied by vote{at}"
            case "lapsed":
                return f"lapsed{at}: too few ballots; it may be filed again once"
            case other:
                return f"{clean(other, 20)}{at}"

    def ballot_of(self, member: str) -> Ballot | None:
        """Return a member's live ballot."""
        return next((item for item in self.ballots if item.voter == member), None)


def cases_of(answer: object) -> list[Case]:
    """Return the cases of `needs_me`."""
    return [Case.of(item) for item in cast("Sequence[Json]", answer)] if isinstance(answer, list) else []


# ---- Claims -----------------------------------------------------------------
REFUSALS = {
    1: "there was no cover on that day",
    2: "the day lies in the waiting time",
    3: "the units of this code for the year are used up",
    4: "the plan does not cover this code",
    7: "another payer covers the whole charge",
    8: "it was filed too late",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a claim with every figure of its settlement."""

    code: str
    units: int
    units_paid: int
    first_day: int
    last_day: int
    is_standard: bool
    status: str
    plan: str
    charge_cents: int
    allowed_cents: int
    deductible_cents: int
    copay_cents: int
    coinsurance_cents: int
    relief_cents: int
    cut_cents: int
    benefit_cents: int
    refusal: int | None

    @classmethod
    def of(cls, item: Json) -> Line:
        """Return the line of JSON."""
        refusal = item.get("refusal")
        return cls(
            code=_text(item, "code"),
            units=_int(item, "units"),
            units_paid=_int(item, "units_paid"),
            first_day=_int(item, "first_day"),
            last_day=_int(item, "last_day"),
            is_standard=bool(item.get("is_standard")),
            status=_text(item, "status"),
            plan=_text(item, "plan"),
            charge_cents=_int(item, "charge_cents"),
            allowed_cents=_int(item, "allowed_cents"),
            deductible_cents=_int(item, "deductible_cents"),
            copay_cents=_int(item, "copay_cents"),
            coinsurance_cents=_int(item, "coinsurance_cents"),
            relief_cents=_int(item, "relief_cents"),
            cut_cents=_int(item, "cut_cents"),
            benefit_cents=_int(item, "benefit_cents"),
            refusal=refusal if isinstance(refusal, int) else None,
        )

    def figures(self, units: Units) -> list[tuple[str, str, str]]:
        """Return every figure as (sign, label, amount); signs read as the sum that leads from allowed to benefit."""
        rows = [
            (" ", "charged", self.charge_cents),
            (" ", "allowed", self.allowed_cents),
            ("−", "deductible", self.deductible_cents),
            ("−", "copay", self.copay_cents),
            ("−", "coinsurance", self.coinsurance_cents),
            ("+", "relief (your yearly maximum)", self.relief_cents),
            ("−", "cut by ceilings", self.cut_cents),
            ("=", "benefit", self.benefit_cents),
        ]
        return [(sign, label, units.figure(amount)) for sign, label, amount in rows]

    def state_words(self) -> str:
        """Return what became of the line."""
        if self.refusal is not None:
            return f"refused: {REFUSALS.get(self.refusal, f'reason {self.refusal}')}"
        return {"settled": "settled", "open": "waits for the vote"}.get(self.status, clean(self.status, 20))


@dataclass(frozen=True, slots=True)
class Payout:
    """What the ledger pays for a part of a claim, on its way to the payee."""

    payout_id: str
    claim: str
    case: str | None
    payee: str
    height: int
    amount_cents: int
    amount_sat: int
    sent_sat: int
    left_sat: int
    credit_sat: int
    outputs: int
    batches: tuple[str, ...]
    status: str

    @classmethod
    def of(cls, item: Json) -> Payout:
        """Return the payout of JSON."""
        case = item.get("case")
        return cls(
            payout_id=_text(item, "payout_id"),
            claim=_text(item, "claim"),
            case=case if isinstance(case, str) else None,
            payee=_text(item, "payee"),
            height=_int(item, "height"),
            amount_cents=_int(item, "amount_cents"),
            amount_sat=_int(item, "amount_sat"),
            sent_sat=_int(item, "sent_sat"),
            left_sat=_int(item, "left_sat"),
            credit_sat=_int(item, "credit_sat"),
            outputs=_int(item, "outputs"),
            batches=tuple(str(part) for part in _list(item, "batches")),
            status=_text(item, "status"),
        )

    @property
    def part(self) -> str:
        """Return which part of the claim it pays."""
        return "standard lines" if self.case is None else clean(self.case, 20)

    def state_words(self, batches: Mapping[str, Batch]) -> str:
        """Return how far the money is."""
        depth = max((batches[item].confirmations for item in self.batches if item in batches), default=0)
        match self.status:
            case "due":
                return "due, not yet in a transaction"
            case "queued":
                return "partly sent, the rest waits"
            case "batched":
                return "in a signed transaction, not mined yet"
            case "confirmed":
                return f"mined, {counted(depth, 'confirmation')}" if depth else "mined"
            case other:
                return clean(other, 30)


@dataclass(frozen=True, slots=True)
class Batch:
    """A bitcoin transaction of the treasury."""

    txid: str
    height: int
    confirmations: int
    block_height: int

    @classmethod
    def of(cls, item: Json) -> Batch:
        """Return the batch of JSON."""
        return cls(
            _text(item, "unsigned_txid"), _int(item, "height"), _int(item, "confirmations"), _int(item, "block_height")
        )


def batches_of(answer: object) -> dict[str, Batch]:
    """Return the batches by transaction id."""
    found = [Batch.of(item) for item in cast("Sequence[Json]", answer)] if isinstance(answer, list) else []
    return {item.txid: item for item in found}


def payouts_of(answer: object) -> list[Payout]:
    """Return the payouts, newest first."""
    found = [Payout.of(item) for item in cast("Sequence[Json]", answer)] if isinstance(answer, list) else []
    return sorted(found, key=lambda item: (-item.height, item.payout_id))


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, in short or with everything."""

    claim: str
    height: int
    status: str
    charge_cents: int
    benefit_cents: int
    codes: tuple[str, ...]
    provider: str
    payee: str
    other_payer_cents: int
    evidence: tuple[Document, ...]
    evidence_version: int
    lines: tuple[Line, ...]
    cases: tuple[Case, ...]
    payouts: tuple[Payout, ...]

    @classmethod
    def of(cls, item: Json) -> Claim:
        """Return the claim of JSON."""
        return cls(
            claim=_text(item, "claim"),
            height=_int(item, "height"),
            status=_text(item, "status"),
            charge_cents=_int(item, "charge_cents"),
            benefit_cents=_int(item, "benefit_cents"),
            codes=tuple(str(part) for part in _list(item, "codes")),
            provider=_text(item, "provider_id"),
            payee=_text(item, "payee"),
            other_payer_cents=_int(item, "other_payer_cents"),
            evidence=tuple(Document.of(part) for part in _list(item, "evidence")),
            evidence_version=_int(item, "evidence_version", 1),
            lines=tuple(Line.of(part) for part in _list(item, "lines")),
            cases=tuple(Case.of(part) for part in _list(item, "cases")),
            payouts=tuple(Payout.of(part) for part in _list(item, "payouts")),
        )

    @property
    def plan(self) -> str:
        """The plan that settled a line so far; empty while the ledger names none."""
        return next((clean(line.plan, 30) for line in self.lines if line.plan), "")

    def case_of(self, code: str) -> Case | None:
        """Return the case of a code."""
        return next((item for item in self.cases if item.code == code), None)

    def codes_words(self, limit: int = 3) -> str:
        """Return the codes in short."""
        shown = ", ".join(clean(code, 12) for code in self.codes[:limit])
        return shown + (f" +{len(self.codes) - limit}" if len(self.codes) > limit else "")


def claims_of(answer: object) -> list[Claim]:
    """Return the claims of a list."""
    return [Claim.of(item) for item in cast("Sequence[Json]", answer)] if isinstance(answer, list) else []


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of a claim's timeline. `is_done` is False for what is still to come."""

    height: int
    text: str
    is_done: bool = True


def timeline(claim: Claim, batches: Mapping[str, Batch], height: int, units: Units) -> list[Moment]:
    """Return a claim's story, oldest first; what is still to come stands last."""
    found = [Moment(claim.height, f"filed, {units.money(claim.charge_cents)}")]
    standard = [line for line in claim.lines if line.is_standard]
    settled = sum(line.benefit_cents for line in standard if line.status == "settled")
    if any(line.status == "settled" for line in standard):
        found.append(Moment(claim.height, f"standard lines settled, benefit {units.money(settled)}"))
    found += [
        Moment(claim.height, f"{clean(line.code, 20)} {line.state_words()}")
        for line in claim.lines
        if line.refusal is not None
    ]
    for case in claim.cases:
        code = clean(case.code, 20)
        found.append(
            Moment(
                case.s + 1, f"{code}: voting opens, {counted(case.eligible, 'member')} may vote", case.s + 1 <= height
            )
        )
        if case.cast and case.ballots:
            newest = max(item.height for item in case.ballots)
            found.append(Moment(newest, f"{code}: newest of {counted(len(case.ballots), 'ballot')}"))
        if case.is_open:
            found.append(Moment(case.closes_at, f"{code}: voting ends at the latest", is_done=False))
        else:
            found.append(Moment(case.closed_height or case.closes_at, f"{code}: {case.outcome(units)}"))
    for payout in claim.payouts:
        found.append(Moment(payout.height, f"{units.money(payout.amount_cents)} due for {payout.part}"))
        for txid in payout.batches:
            batch = batches.get(txid)
            if batch is not None:
                found.append(Moment(batch.height, f"sent in transaction {short(txid)}"))
                if batch.confirmations:
                    found.append(
                        Moment(
                            batch.height,
                            f"mined in bitcoin block {batch.block_height},"
                            f" {counted(batch.confirmations, 'confirmation')}",
                        )
                    )
    return sorted(found, key=lambda item: (not item.is_done, item.height))


# ---- Ballots ----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class BallotDraft:
    """What the member is about to sign. `opened`: hash of the document opened, empty if none."""

    claim: str
    code: str
    evidence_version: int
    opened: str = ""
    choice: str = ""
    award_cents: int | None = None
    reason: str = ""

    def body(self) -> dict[str, Any]:
        """Return the body of the `case.ballot` record exactly as it goes to the node."""
        return {
            "claim": self.claim,
            "code": self.code,
            "choice": self.choice,
            "award_cents": self.award_cents if self.choice == "accept" else None,
            "reason": self.reason,
            "evidence_version": self.evidence_version,
            "opened": self.opened,
        }


def find_draft_fault(choice: str, award: str, reason: str, charges_cents: int, units: Units) -> str | None:
    """Return why a ballot cannot be reviewed yet, as `what; hint`, or None."""
    if choice not in CHOICES:
        return "nothing is chosen; choose accept, deny or abstain"
    if choice == "accept" and award.strip():
        amount = units.parse(award)
        if amount is None:
            return f"{clean(award, 20)!r} is no amount of {units.currency}; write it like {units.figure(charges_cents)}"
        if amount > charges_cents:
            return f"the award is above the charges; award at most {units.money(charges_cents)}"
    if len(reason) > REASON_SIZE_MAX:
        return f"the reason has {len(reason)} characters; shorten it to {REASON_SIZE_MAX}"
    return None


def similar_words(cases: Iterable[Case], units: Units) -> list[str]:
    """Return earlier cases of a code: first how many were accepted, then the cases."""
    closed = [case for case in cases if case.status in ("accepted", "denied", "lapsed")]
    if not closed:
        return ["none decided yet"]
    accepted = sum(case.status == "accepted" for case in closed)
    rows = [
        f"{case.status:<9} {units.figure(case.charges_cents):>12}  block {case.closed_height}, {case.yes} to {case.no}"
        for case in closed[:5]
    ]
    return [f"{accepted} of {len(closed)} were accepted", *rows]


# ---- Blocks -----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block in short, or with its records and events."""

    height: int
    hash: str
    state_root: str
    time_ms: int
    term: int
    proposer: int
    record_count: int
    records: tuple[tuple[str, str, str], ...]
    """(kind, author, id)"""
    events: tuple[str, ...]
    has_certificate: bool

    @classmethod
    def of(cls, item: Json) -> BlockRow:
        """Return the block of JSON."""
        records = item.get("records")
        rows = cast("Sequence[Json]", records) if isinstance(records, list) else ()
        return cls(
            height=_int(item, "height"),
            hash=_text(item, "hash"),
            state_root=_text(item, "state_root"),
            time_ms=_int(item, "time_ms"),
            term=_int(item, "term"),
            proposer=_int(item, "proposer"),
            record_count=len(rows) if isinstance(records, list) else _int(item, "records"),
            records=tuple((clean(_text(row, "kind"), 24), _text(row, "author"), _text(row, "id")) for row in rows),
            events=tuple(event_words(row) for row in _list(item, "events")),
            has_certificate=bool(item.get("has_certificate")),
        )


def event_words(event: Json) -> str:
    """Return an event as one line: its name, then its fields; ids in short."""
    parts: list[str] = []
    for name, value in event.items():
        if name in ("event", "height") or value is None or value is False:
            continue
        parts.append(
            f"{name} {short(value)}" if isinstance(value, str) and len(value) > 20 else f"{name} {clean(value, 40)}"
        )
    return f"{clean(event.get('event', 'event'), 30)}: " + ", ".join(parts)


def blocks_of(answer: object) -> list[BlockRow]:
    """Return the blocks, newest first."""
    found = [BlockRow.of(item) for item in cast("Sequence[Json]", answer)] if isinstance(answer, list) else []
    return sorted(found, key=lambda item: -item.height)
