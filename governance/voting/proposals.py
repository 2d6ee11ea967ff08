"""Proposals: how they open, are voted on, judged, and take effect; `proposal_kinds` says on what (rules §12).

A proposal opens with its last needed sponsor in block o, is voted on in o+1 .. o+30 and judged at the end of o+30. What
passed takes effect at the next boundary, what is critical at the one after. Open cases keep the parameters of their s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from msgspec.structs import replace

from governance.acts import Act
from governance.day import Day, ceil_div
from governance.membership import members
from governance.state.members import MEMBERS
from governance.state.params import Params, current_version, params_at
from governance.state.proposals import (
    OPEN_PROPOSALS,
    PASSED_PROPOSALS,
    PROPOSAL_SPONSORS,
    PROPOSAL_VOTES,
    PROPOSALS,
    ProposalRow,
    ProposalVoteRow,
    ProposeBody,
    SponsorRow,
    VoteChoice,
    propose_body,
)
from governance.tables import Draft, Name
from governance.voting import proposal_kinds
from governance.voting.proposal_kinds import is_critical
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
CHOICES = ("yes", "no", "abstain")
NAME_SIZE_MAX = 128
FIGURE_MAX = 10**12


class SponsorBody(Shape):
    """Sign a proposal so that it opens."""

    proposal: bytes


class CastBody(Shape):
    """A vote on a proposal; the last one counts."""

    proposal: bytes
    choice: str


# ---- Rules --------------------------------------------------------------
def check_voter(day: Day, author: bytes) -> None:
    """Raise RuleBroken unless the author is a member who may vote now."""
    members.check_may_vote(day, members.check_member(day.draft, author))


def check_propose(day: Day, act: Act, body: ProposeBody) -> None:
    """Raise RuleBroken unless the proposal is new, well formed and could take effect."""
    check_voter(day, act.author)
    if PROPOSALS.find(day.draft, act.record_id) is not None:
        raise RuleBroken("proposal_known", "a proposal of this id stands already", "sponsor it, or choose another id")
    figures = [body.value, body.height, body.allowed_cents, body.frequency, body.premium_cents, body.prior_cents]
    if body.figures is not None:
        named = body.figures
        figures += [named.deductible_cents, named.copay_cents, named.oop_max_cents]
        figures += [named.claim_ceiling_cents, named.year_ceiling_cents]
        if named.coinsurance_bp > 10_000 or named.waiting_terms > 12 or len(named.codes) > 10_000:
            what = "coinsurance is at most 10 000 bp, waiting at most 12 terms"
            raise RuleBroken("plan_figures", what, "correct the figures")
    is_long = max(len(body.name), len(body.system)) > NAME_SIZE_MAX
    if is_long or max(figure or 0 for figure in figures) > FIGURE_MAX:
        what = f"a name has more than {NAME_SIZE_MAX} characters or a figure is above {FIGURE_MAX}"
        raise RuleBroken("proposal_shape", what, "correct the proposal")
    kind = proposal_kinds.KINDS.get(body.what)
    if kind is None:
        what = f"there is no kind of proposal {body.what!r}"
        raise RuleBroken("proposal_kind", what, "one of " + ", ".join(proposal_kinds.KINDS))
    kind.check(day, body)


def apply_propose(day: Day, act: Act, body: ProposeBody) -> None:
    """Put a proposal up; its proposer is its first sponsor."""
    row = ProposalRow(act.record_id, body, params_version=current_version(day.draft))
    _add_sponsor(day, row, act.author)


def check_sponsor(day: Day, act: Act, body: SponsorBody) -> None:
    """Raise RuleBroken unless the author may add a signature."""
    check_voter(day, act.author)
    row = PROPOSALS.find(day.draft, body.proposal)
    if row is None or row.status != "gathering":
        what = "no proposal with this id is waiting for sponsors"
        raise RuleBroken("proposal_unknown", what, "see the list of proposals")
    if PROPOSAL_SPONSORS.find(day.draft, body.proposal, act.author) is not None:
        count = f"{row.sponsors} of {sponsors_needed(day)}"
        raise RuleBroken("sponsored", f"the author is one of the {count} sponsors already", "others may sign")


def apply_sponsor(day: Day, act: Act, body: SponsorBody) -> None:
    """Add a sponsor; the last needed one opens the vote."""
    _add_sponsor(day, PROPOSALS.get(day.draft, body.proposal), act.author)


def _add_sponsor(day: Day, row: ProposalRow, author: bytes) -> None:
    PROPOSAL_SPONSORS.put(day.draft, SponsorRow(author, row.sponsors), row.proposal, author)
    row = replace(row, sponsors=row.sponsors + 1)
    PROPOSALS.put(day.draft, row, row.proposal)
    if row.sponsors >= sponsors_needed(day):
        open_proposal(day, row)


def sponsors_of(draft: Draft, proposal: bytes) -> list[bytes]:
    """Return who signed a proposal, the first first."""
    return [row.sponsor for row in sorted(PROPOSAL_SPONSORS.scan(draft, proposal), key=lambda row: row.place)]


def sponsors_needed(day: Day) -> int:
    """Return how many sponsors open a proposal now."""
    set_now = day.params
    return max(set_now.sponsor_min, ceil_div(day.counts.voters, set_now.sponsor_div))


def params_of(day: Day, row: ProposalRow) -> Params:
    """Return the parameters that a proposal keeps from the block in which it opened."""
    return params_at(day.draft, row.params_version)


def turnout_needed(row: ProposalRow, vote_params: Params) -> int:
    """Return how many votes, abstentions among them, a proposal needs."""
    return min(vote_params.turnout_max, ceil_div(row.eligible, vote_params.turnout_div))


def open_proposal(day: Day, row: ProposalRow) -> None:
    """Open a proposal in this block."""
    row = replace(
        row,
        status="open",
        opened_height=day.height,
        eligible=day.counts.voters,
        params_version=current_version(day.draft),
    )
    PROPOSALS.put(day.draft, row, row.proposal)
    OPEN_PROPOSALS.put(day.draft, Name(row.proposal), *_due_key(day.draft, row))
    day.proposals_opened.add(row.proposal)
    _emit(day, "proposal_opened", row)


def closes_at(draft: Draft, row: ProposalRow) -> int:
    """Return the last block whose votes on an open proposal count."""
    return row.opened_height + params_at(draft, row.params_version).proposal_blocks


def _due_key(draft: Draft, row: ProposalRow) -> tuple[int, int, bytes]:
    return closes_at(draft, row), row.opened_height, row.proposal


def open_expulsion(day: Day, member: bytes, claim: bytes) -> None:
    """Open the proposal that follows a finding of fraud by itself."""
    proposal = b"expel/" + claim
    body = propose_body("expel", member=member)
    open_proposal(day, ProposalRow(proposal, body))


def _emit(day: Day, name: str, row: ProposalRow) -> None:
    day.emit(name, proposal=row.proposal, yes=row.yes, no=row.no, abstain=row.abstain, eligible=row.eligible)


def check_cast(day: Day, act: Act, body: CastBody) -> None:
    """Raise RuleBroken unless the author may vote on the proposal in this block."""
    check_voter(day, act.author)
    row = PROPOSALS.find(day.draft, body.proposal)
    if row is None or row.status != "open":
        raise RuleBroken("proposal_unknown", "no proposal of this id is open", "see the list of proposals")
    last = closes_at(day.draft, row)
    if not row.opened_height < day.height <= last:
        what = f"votes count in blocks {row.opened_height + 1} to {last}, this is {day.height}"
        raise RuleBroken("vote_not_open", what, "cast it in one of them")
    if not members.was_voter(MEMBERS.get(day.draft, act.author), row.opened_height):
        what = f"the author could not vote as of block {row.opened_height}"
        raise RuleBroken("not_eligible", what, "later proposals are open to you")
    if body.choice not in CHOICES:
        raise RuleBroken("choice_unknown", f"{body.choice!r} is not a valid choice", "yes, no or abstain")


def apply_cast(day: Day, act: Act, body: CastBody) -> None:
    """Count a vote in place of an earlier one."""
    row = PROPOSALS.get(day.draft, body.proposal)
    before = PROPOSAL_VOTES.find(day.draft, body.proposal, act.author)
    counts = {"yes": row.yes, "no": row.no, "abstain": row.abstain}
    if before is not None:
        counts[before.choice] -= 1
    counts[body.choice] += 1
    PROPOSALS.put(day.draft, replace(row, **counts), body.proposal)
    PROPOSAL_VOTES.put(day.draft, ProposalVoteRow(cast("VoteChoice", body.choice)), body.proposal, act.author)


def freeze(day: Day) -> None:
    """Fix who is eligible on proposals that opened in this block."""
    for proposal in sorted(day.proposals_opened):
        row = PROPOSALS.find(day.draft, proposal)
        if row is not None and row.status == "open" and row.opened_height == day.height:
            PROPOSALS.put(day.draft, replace(row, eligible=day.counts.voters), proposal)


def end_day(day: Day) -> None:
    """Judge proposals whose votes end with this block, by (height, id)."""
    for name in list(OPEN_PROPOSALS.scan(day.draft, day.height)):
        row = PROPOSALS.get(day.draft, name.value)
        vote_params = params_at(day.draft, row.params_version)
        OPEN_PROPOSALS.delete(day.draft, *_due_key(day.draft, row))
        is_passed = row.yes > row.no and row.yes + row.no + row.abstain >= turnout_needed(row, vote_params)
        if is_critical(row.body):
            is_passed = is_passed and 3 * row.yes >= 2 * (row.yes + row.no)
        if not is_passed:
            PROPOSALS.put(day.draft, replace(row, status="failed"), row.proposal)
            _emit(day, "proposal_failed", row)
            continue
        boundary = ceil_div(day.height, calendar.TERM_BLOCKS) * calendar.TERM_BLOCKS
        effective = boundary + (calendar.TERM_BLOCKS if is_critical(row.body) else 0)
        row = replace(row, status="passed", effective_height=effective)
        PROPOSALS.put(day.draft, row, row.proposal)
        PASSED_PROPOSALS.put(day.draft, Name(row.proposal), effective, row.proposal)
        _emit(day, "proposal_passed", row)


def end_term(day: Day) -> None:
    """Let the passed proposals of this boundary take effect, by id; those no longer possible are void."""
    for name in list(PASSED_PROPOSALS.scan(day.draft, day.height)):
        PASSED_PROPOSALS.delete(day.draft, day.height, name.value)
        row = PROPOSALS.get(day.draft, name.value)
        why = proposal_kinds.KINDS[row.body.what].effect(day, row.body)
        PROPOSALS.put(day.draft, replace(row, status="void" if why else "in_force", why=why or ""), row.proposal)
        if why:
            day.emit("proposal_void", proposal=row.proposal, why=why)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each open proposal that would never be judged."""
    opened = [row for row in PROPOSALS.scan(draft) if row.status == "open"]
    if any(OPEN_PROPOSALS.find(draft, *_due_key(draft, row)) is None for row in opened):
        yield "an open proposal would never be judged"
    if len(opened) != sum(1 for _ in OPEN_PROPOSALS.scan(draft)):
        yield "a proposal that is over is to be judged"
