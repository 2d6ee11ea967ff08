"""What the screens say of the node's answers, in words; other people's text goes through `clean` first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from node.api.text import Units, brief, clean, counted, percent
from node.api.views.claims import Case, CaseBase, CaseToVote, Claim, ClaimHead, Document, Line
from node.api.views.money import Batch, Payout

CHOICES = ("accept", "deny", "abstain")
REASON_SIZE_MAX = 280
"""Characters; the rule refuses longer reasons."""
ENDED_BY = {"vote": "by vote", "small": "as a small claim", "lapse": "after a second lapse", "appeal": "on appeal"}
REFUSALS = {
    1: "there was no cover on that day",
    2: "the day is in the waiting period",
    3: "the units of this code for the year are used up",
    4: "the plan does not cover this code",
    7: "another payer covers the whole charge",
    8: "it was filed too late",
}


# ---- Cases ------------------------------------------------------------------
def case_id(case: CaseBase) -> str:
    """Name a case among others."""
    return f"{case.claim}/{case.code}"


def case_to_vote(case: CaseBase, claim: Claim, member: str, *, on_duty: bool) -> CaseToVote:
    """Return a case of a claim as a member sees it who votes on it: without seniority (rules §7)."""
    own = case.ballot_of(member)
    return CaseToVote(
        **{name: getattr(case, name) for name in CaseBase.__struct_fields__},
        my_choice=own.choice if own else None,
        on_duty=on_duty,
        evidence_version=claim.evidence_version,
        provider_id=claim.provider_id,
        evidence=claim.evidence,
    )


def time_left(case: CaseBase, height: int, units: Units) -> str:
    """Return how long ballots still count, in words."""
    left = case.closes_at - height
    if not case.is_open or left <= 0:
        return "voting is over"
    return f"last block, {units.span(1)}" if left == 1 else f"{left} blocks left, {units.span(left)}"


def time_short(case: CaseBase, height: int, units: Units) -> str:
    """Return the same for a narrow column."""
    left = case.closes_at - height
    is_over = not case.is_open or left <= 0
    return "over" if is_over else f"{counted(left, 'block')}, {units.span(left).removeprefix('about ')}"


def tally_words(case: CaseBase) -> str:
    """Return the ballots in words."""
    return f"{case.yes} accept, {case.no} deny" + (f", {case.abstain} abstain" if case.abstain else "")


def quorum_words(case: CaseBase) -> str:
    """Return what is still missing until the ballots may decide."""
    if case.cast >= case.quorum and case.opened >= case.opened_needed:
        return f"enough ballots: {case.cast} of {case.quorum}"
    opened = f"{case.opened} of {case.opened_needed} with document opened"
    return f"{case.cast} of {case.quorum} ballots needed, {opened}"


def threshold_words(case: CaseBase) -> str:
    """Return the threshold that the accepting share must reach, as everybody may see it."""
    so_far = "" if case.yes_bp is None else f"; {percent(case.yes_bp)} so far"
    return f"needs {percent(case.bar_bp)} accept{so_far}"


def outcome_words(case: CaseBase, units: Units) -> str:
    """Return how a case ended, or that it is open."""
    at = f" in block {case.closed_height}" if case.closed_height else ""
    match case.status:
        case "open":
            return "open"
        case "accepted":
            how = f" {ENDED_BY[case.how]}" if case.how in ENDED_BY else ""
            return f"accepted{how}{at}, award {units.money(case.award_cents or 0)}"
        case "denied":
            return f"denied by vote{at}"
        case "lapsed":
            return f"lapsed{at}: not enough votes in time; it may be filed again once"
        case other:
            return f"{clean(other, 20)}{at}"


def document_words(document: Document) -> str:
    """Return what a document is."""
    return f"{clean(document.media, 40) or 'document'}, {document.size_bytes:,} bytes"


# ---- Claims -----------------------------------------------------------------
def figures(line: Line, units: Units) -> list[tuple[str, str, str]]:
    """Return every figure as (sign, label, amount); signs read as the sum that leads from allowed to benefit."""
    rows = [
        (" ", "charged", line.charge_cents),
        (" ", "allowed", line.allowed_cents),
        ("−", "deductible", line.deductible_cents),
        ("−", "copay", line.copay_cents),
        ("−", "coinsurance", line.coinsurance_cents),
        ("+", "relief (your yearly maximum)", line.relief_cents),
        ("−", "cut by ceilings", line.cut_cents),
        ("=", "benefit", line.benefit_cents),
    ]
    return [(sign, label, units.figure(amount)) for sign, label, amount in rows]


def line_words(line: Line) -> str:
    """Return what became of a line."""
    if line.refusal is not None:
        return f"refused: {REFUSALS.get(line.refusal, f'reason {line.refusal}')}"
    return {"settled": "settled", "open": "waits for the vote"}.get(line.status, clean(line.status, 20))


def plan_of(claim: Claim) -> str:
    """Return the plan that settled a line so far; empty while the ledger names none."""
    return next((clean(line.plan, 30) for line in claim.lines if line.plan), "")


def codes_words(claim: ClaimHead, limit: int = 3) -> str:
    """Return the codes in short."""
    shown = ", ".join(clean(code, 12) for code in claim.codes[:limit])
    return shown + (f" +{len(claim.codes) - limit}" if len(claim.codes) > limit else "")


def part_words(payout: Payout) -> str:
    """Return which part of the claim is paid."""
    return "standard lines" if payout.case is None else clean(payout.case, 20)


def payout_words(payout: Payout, batches: Mapping[str, Batch]) -> str:
    """Return how far the money is."""
    depth = max((batches[item].confirmations for item in payout.batches if item in batches), default=0)
    mined = f"mined, {counted(depth, 'confirmation')}" if depth else "mined"
    return {
        "due": "due, not yet in a transaction",
        "queued": "partly sent, the rest waits",
        "batched": "in a signed transaction, not mined yet",
        "confirmed": mined,
    }.get(payout.status, clean(payout.status, 30))


def batches_by_id(batches: Iterable[Batch]) -> dict[str, Batch]:
    """Return the batches by transaction id."""
    return {item.unsigned_txid: item for item in batches}


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A line of a claim's timeline. `is_done` is False for what is still to come."""

    height: int
    text: str
    is_done: bool = True


def timeline(claim: Claim, batches: Mapping[str, Batch], height: int, units: Units) -> list[TimelineEntry]:
    """Return a claim's story, oldest first; what is still to come stands last."""
    found = [TimelineEntry(claim.height, f"filed, {units.money(claim.charge_cents)}")]
    settled = [line.benefit_cents for line in claim.lines if line.is_standard and line.status == "settled"]
    if settled:
        words = f"standard lines settled, benefit {units.money(sum(settled))}"
        found.append(TimelineEntry(claim.height, words))
    found += [
        TimelineEntry(claim.height, f"{clean(line.code, 20)} {line_words(line)}")
        for line in claim.lines
        if line.refusal is not None
    ]
    for case in claim.cases:
        found += _case_entries(case, height, units)
    for payout in claim.payouts:
        words = f"{units.money(payout.amount_cents)} due for {part_words(payout)}"
        found.append(TimelineEntry(payout.height, words))
        for batch in (batches[txid] for txid in payout.batches if txid in batches):
            found.append(TimelineEntry(batch.height, f"sent in transaction {brief(batch.unsigned_txid)}"))
            if batch.confirmations:
                depth = counted(batch.confirmations, "confirmation")
                words = f"mined in bitcoin block {batch.block_height}, {depth}"
                found.append(TimelineEntry(batch.height, words))
    return sorted(found, key=lambda item: (not item.is_done, item.height))


def _case_entries(case: Case, height: int, units: Units) -> Iterable[TimelineEntry]:
    code, opens = clean(case.code, 20), case.opens_at
    yield TimelineEntry(
        opens, f"{code}: voting opens, {counted(case.eligible, 'member')} may vote", is_done=opens <= height
    )
    if case.cast and case.ballots:
        newest = max(item.height for item in case.ballots)
        yield TimelineEntry(newest, f"{code}: newest of {counted(len(case.ballots), 'ballot')}")
    if case.is_open:
        yield TimelineEntry(case.closes_at, f"{code}: voting ends at the latest", is_done=False)
    else:
        yield TimelineEntry(case.closed_height or case.closes_at, f"{code}: {outcome_words(case, units)}")


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
        return {**asdict(self), "award_cents": self.award_cents if self.choice == "accept" else None}


def find_draft_fault(choice: str, award: str, reason: str, charges_cents: int, units: Units) -> str | None:
    """Return why a ballot cannot be reviewed yet, as `what; hint`, or None."""
    if choice not in CHOICES:
        return "nothing is chosen; choose accept, deny or abstain"
    if choice == "accept" and award.strip():
        amount = units.parse(award)
        if amount is None:
            example = units.figure(charges_cents)
            return f"{clean(award, 20)!r} is not an amount of {units.currency}; write it like {example}"
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


def event_words(event: Mapping[str, Any]) -> str:
    """Return an event as one line: its name, then its fields; ids in short."""
    fields = [
        f"{name} {brief(value) if isinstance(value, str) and len(value) > 20 else clean(value, 40)}"
        for name, value in event.items()
        if name not in ("event", "height") and value is not None and value is not False
    ]
    return f"{clean(event.get('event', 'event'), 30)}: " + ", ".join(fields)
