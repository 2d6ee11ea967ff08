"""Proposals: what members change by vote - parameters, plans, codes, the phase - and whom they expel (rules §12).

A proposal opens with its last needed sponsor in block o, is voted on in o+1 .. o+30 and judged at the end of o+30. What
passed takes effect at the next boundary, what is critical at the one after. Open cases keep the parameters of their s.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from governance import params
from governance.benefits import codes, contracts, plans, promotion
from governance.day import PHASES, Day, ceil_div
from governance.membership import members
from governance.money import accounts
from governance.tables import Name, Table
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
CHOICES = ("yes", "no", "abstain")
KINDS = ("demote", "param", "list", "plan", "phase", "expel")
NAME_SIZE_MAX = 128
FIGURE_MAX = 10**12
CRITICAL_KINDS = ("phase",)


class ProposeBody(Shape):
    """A proposal. `name`: code, parameter, plan or phase; `system`: of a code; `member`: whom to expel; `value`: of a parameter.

    A plan gives its figures; a code gives standard, allowed amount and frequency.
    """

    what: str
    name: str
    system: str
    member: bytes
    value: int
    standard: bool
    allowed_cents: int | None
    frequency: int | None
    premium_cents: int
    prior_cents: int | None
    figures: plans.PlanFigures | None


class SponsorBody(Shape):
    """Sign a proposal so that it opens."""

    proposal: bytes


class CastBody(Shape):
    """A vote on a proposal; the last one counts."""

    proposal: bytes
    choice: str


# ---- State --------------------------------------------------------------
class ProposalRow(Shape):
    """A proposal on its way: gathering | open | passed | failed | in_force | void."""

    proposal: bytes
    body: ProposeBody
    sponsors: tuple[bytes, ...]
    status: str
    opened_height: int
    eligible: int
    params_version: int
    yes: int
    no: int
    abstain: int
    effective_height: int


class VoteRow(Shape):
    """A member's live vote on a proposal."""

    choice: str


PROPOSALS = Table("voting/proposal", ProposalRow)
OPEN_PROPOSALS = Table("voting/open_proposal", Name)
"""(height opened, id) -> id."""
PASSED = Table("voting/passed_proposal", Name)
"""(effective height, id) -> id."""
VOTES = Table("voting/proposal_vote", VoteRow)


# ---- Rules --------------------------------------------------------------
def is_critical(body: ProposeBody) -> bool:
    """True iff a proposal needs two thirds and a term more of notice."""
    return body.what in CRITICAL_KINDS or (body.what == "param" and params.PARAMETERS[body.name].is_critical)


def check_voter(day: Day, author: bytes) -> None:
    """Raise RuleBroken unless the author is a member who may vote now."""
    if not members.is_voter(members.check_member(day.draft, author)):
        raise RuleBroken("may_not_vote", "the author may not vote now", "wait for the vote, or pay what is owed")


def check_propose(day: Day, author: bytes, proposal: bytes, body: ProposeBody) -> None:
    """Raise RuleBroken unless the proposal is new, well formed and could take effect."""
    check_voter(day, author)
    if PROPOSALS.find(day.draft, proposal) is not None:
        raise RuleBroken("proposal_known", "a proposal of this id stands already", "sponsor it, or choose another id")
    figures = [body.value, body.allowed_cents or 0, body.frequency or 0, body.premium_cents, body.prior_cents or 0]
    if body.figures is not None:
        named = body.figures
        figures += [named.deductible_cents, named.copay_cents, named.oop_max_cents or 0, named.claim_ceiling_cents or 0, named.year_ceiling_cents or 0]
        if named.coinsurance_bp > 10_000 or named.waiting_terms > 12 or len(named.codes) > 10_000:
            raise RuleBroken("plan_figures", "coinsurance is at most 10 000 bp, waiting at most 12 terms", "correct the figures")
    if len(body.name) > NAME_SIZE_MAX or len(body.system) > NAME_SIZE_MAX or max(figures) > FIGURE_MAX:
        raise RuleBroken("proposal_shape", f"a name is too long or a figure above {FIGURE_MAX}", "correct the proposal")
    _CHECKS.get(body.what, _check_unknown)(day, body)


def _check_unknown(_day: Day, body: ProposeBody) -> None:
    raise RuleBroken("proposal_kind", f"nothing can be proposed about {body.what!r}", "one of " + ", ".join(KINDS))


def _check_demote(day: Day, body: ProposeBody) -> None:
    if not codes.code_on(day.draft, body.system, body.name, day.height).is_standard:
        raise RuleBroken("not_standard", f"code {body.name} is not standard", "nothing to demote")


def _check_param(_day: Day, body: ProposeBody) -> None:
    params.check_parameter(body.name, body.value)


def _check_named(_day: Day, body: ProposeBody) -> None:
    if not body.name:
        raise RuleBroken("name_missing", "a code or plan needs a name", "name it")


def _check_plan(day: Day, body: ProposeBody) -> None:
    _check_named(day, body)
    if body.figures is None:
        raise RuleBroken("plan_figures", "a plan needs its figures", "give them")


def _check_phase(day: Day, body: ProposeBody) -> None:
    if body.name not in PHASES or PHASES.index(body.name) <= PHASES.index(day.coop.phase):
        raise RuleBroken("phase_order", f"the phase is {day.coop.phase}; it cannot become {body.name!r}", "recruit, then pilot, then live")


def _check_expel(day: Day, body: ProposeBody) -> None:
    members.check_member(day.draft, body.member)


_CHECKS: dict[str, Callable[[Day, ProposeBody], None]] = {
    "demote": _check_demote, "param": _check_param, "list": _check_named, "plan": _check_plan, "phase": _check_phase, "expel": _check_expel,
}  # fmt: skip


def apply_propose(day: Day, author: bytes, proposal: bytes, body: ProposeBody) -> None:
    """Put a proposal up; its proposer is its first sponsor."""
    row = ProposalRow(proposal, body, (author,), "gathering", 0, 0, params.current_version(day.draft), 0, 0, 0, 0)
    PROPOSALS.put(day.draft, row, proposal)
    _open_if_sponsored(day, row)


def check_sponsor(day: Day, author: bytes, body: SponsorBody) -> None:
    """Raise RuleBroken unless the author may add a signature."""
    check_voter(day, author)
    row = PROPOSALS.find(day.draft, body.proposal)
    if row is None or row.status != "gathering":
        raise RuleBroken("proposal_unknown", "no proposal of this id gathers sponsors", "see the list of proposals")
    if author in row.sponsors:
        raise RuleBroken("sponsored", "the author sponsored it before", "nothing to do")


def apply_sponsor(day: Day, author: bytes, body: SponsorBody) -> None:
    """Add a sponsor; the last needed one opens the vote."""
    row = PROPOSALS.get(day.draft, body.proposal)
    row = msgspec.structs.replace(row, sponsors=(*row.sponsors, author))
    PROPOSALS.put(day.draft, row, row.proposal)
    _open_if_sponsored(day, row)


def _open_if_sponsored(day: Day, row: ProposalRow) -> None:
    set_now = day.params
    if len(row.sponsors) >= max(set_now.sponsor_min, ceil_div(day.counts.voters, set_now.sponsor_div)):
        open_proposal(day, row)


def open_proposal(day: Day, row: ProposalRow) -> None:
    """Open a proposal in this block."""
    row = msgspec.structs.replace(
        row, status="open", opened_height=day.height, eligible=day.counts.voters, params_version=params.current_version(day.draft)
    )
    PROPOSALS.put(day.draft, row, row.proposal)
    OPEN_PROPOSALS.put(day.draft, Name(row.proposal), day.height, row.proposal)
    _emit(day, "proposal_opened", row)


def open_expulsion(day: Day, member: bytes, claim: bytes) -> None:
    """Open the proposal that follows a finding of fraud by itself."""
    proposal = b"expel/" + claim
    body = ProposeBody("expel", "", "", member, 0, False, None, None, 0, None, None)
    open_proposal(day, ProposalRow(proposal, body, (), "gathering", 0, 0, params.current_version(day.draft), 0, 0, 0, 0))


def _emit(day: Day, name: str, row: ProposalRow) -> None:
    day.emit(name, proposal=row.proposal, yes=row.yes, no=row.no, abstain=row.abstain, eligible=row.eligible)


def check_cast(day: Day, author: bytes, body: CastBody) -> None:
    """Raise RuleBroken unless the author may vote on the proposal in this block."""
    check_voter(day, author)
    row = PROPOSALS.find(day.draft, body.proposal)
    if row is None or row.status != "open":
        raise RuleBroken("proposal_unknown", "no proposal of this id is open", "see the list of proposals")
    last = row.opened_height + params.params_at(day.draft, row.params_version).proposal_blocks
    if not row.opened_height < day.height <= last:
        raise RuleBroken("vote_not_open", f"votes count in blocks {row.opened_height + 1} to {last}", "wait for the next block")
    if not members.was_voter(members.MEMBERS.get(day.draft, author), row.opened_height):
        raise RuleBroken("not_eligible", f"the author might not vote as of block {row.opened_height}", "later proposals are open to you")
    if body.choice not in CHOICES:
        raise RuleBroken("choice_unknown", f"{body.choice!r} is no choice", "yes, no or abstain")


def apply_cast(day: Day, author: bytes, body: CastBody) -> None:
    """Count a vote in place of an earlier one."""
    row = PROPOSALS.get(day.draft, body.proposal)
    before = VOTES.find(day.draft, body.proposal, author)
    counts = {"yes": row.yes, "no": row.no, "abstain": row.abstain}
    if before is not None:
        counts[before.choice] -= 1
    counts[body.choice] += 1
    PROPOSALS.put(day.draft, msgspec.structs.replace(row, **counts), body.proposal)
    VOTES.put(day.draft, VoteRow(body.choice), body.proposal, author)


def freeze(day: Day) -> None:
    """Fix who is eligible on proposals that opened in this block."""
    for name in list(OPEN_PROPOSALS.scan(day.draft, day.height)):
        row = PROPOSALS.get(day.draft, name.value)
        PROPOSALS.put(day.draft, msgspec.structs.replace(row, eligible=day.counts.voters), name.value)


def end_day(day: Day) -> None:
    """Judge proposals whose votes end with this block, by (height, id)."""
    for name in list(OPEN_PROPOSALS.scan(day.draft)):
        row = PROPOSALS.get(day.draft, name.value)
        set_of_o = params.params_at(day.draft, row.params_version)
        if day.height < row.opened_height + set_of_o.proposal_blocks:
            continue
        OPEN_PROPOSALS.delete(day.draft, row.opened_height, row.proposal)
        turnout_needed = min(set_of_o.turnout_max, ceil_div(row.eligible, set_of_o.turnout_div))
        is_passed = row.yes > row.no and row.yes + row.no + row.abstain >= turnout_needed
        if is_critical(row.body):
            is_passed = is_passed and 3 * row.yes >= 2 * (row.yes + row.no)
        if not is_passed:
            PROPOSALS.put(day.draft, msgspec.structs.replace(row, status="failed"), row.proposal)
            _emit(day, "proposal_failed", row)
            continue
        boundary = ceil_div(day.height, calendar.TERM_BLOCKS) * calendar.TERM_BLOCKS
        effective = boundary + (calendar.TERM_BLOCKS if is_critical(row.body) else 0)
        row = msgspec.structs.replace(row, status="passed", effective_height=effective)
        PROPOSALS.put(day.draft, row, row.proposal)
        PASSED.put(day.draft, Name(row.proposal), effective, row.proposal)
        _emit(day, "proposal_passed", row)


def end_term(day: Day) -> None:
    """Let passed proposals take effect, by id."""
    for name in list(PASSED.scan(day.draft, day.height)):
        PASSED.delete(day.draft, day.height, name.value)
        row = PROPOSALS.get(day.draft, name.value)
        done = _EFFECTS[row.body.what](day, row.body)
        PROPOSALS.put(day.draft, msgspec.structs.replace(row, status="in_force" if done else "void"), row.proposal)


def _effect_demote(day: Day, body: ProposeBody) -> bool:
    if not codes.code_on(day.draft, body.system, body.name, day.height + 1).is_standard:
        return False
    paid, decided = promotion.share_of(day, body.system, body.name)
    promotion.apply_demotion(day, body.system, body.name)
    day.emit("code_demoted", code=body.name, paid=paid, decided=decided, allowed_cents=None, frequency=None)
    return True


def _effect_param(day: Day, body: ProposeBody) -> bool:
    before = params.apply_change(day.draft, body.name, body.value)
    day.emit("param_changed", name=body.name, **{"from": before, "to": body.value})
    return True


def _effect_list(day: Day, body: ProposeBody) -> bool:
    version = codes.CodeVersion(day.height + 1, body.standard, body.allowed_cents, body.frequency)
    codes.set_code(day.draft, body.system, body.name, version)
    return True


def _effect_plan(day: Day, body: ProposeBody) -> bool:
    """Open a plan, or give one new figures; the premium of a plan in force moves by re-rating alone."""
    assert body.figures is not None, "checked before"
    figures = msgspec.structs.replace(body.figures, from_day=day.height + 1)
    plan = plans.PLANS.find(day.draft, body.name)
    set_now = day.params
    premium = body.premium_cents if plan is None else plan.premium_cents
    prior = plans.prior_of(premium, set_now.reserve_bp, set_now.expense_bp) if plan is None else plan.prior_cents
    plans.put_figures(day.draft, body.name, premium, prior if body.prior_cents is None else body.prior_cents, figures)
    return True


def _effect_phase(day: Day, body: ProposeBody) -> bool:
    """Change the phase; to `live` only with one term's premiums in the claims account (rules §11)."""
    before = day.coop.phase
    if PHASES.index(body.name) <= PHASES.index(before):
        return False
    if body.name == "live" and accounts.balance_of(day.draft, "claims") < day.counts.rates_cents:
        return False
    day.set_coop(phase=body.name)
    if before == "recruit":
        contracts.release_contracts(day)
    day.emit("phase_changed", **{"from": before, "to": body.name})
    return True


def _effect_expel(day: Day, body: ProposeBody) -> bool:
    row = members.find_member(day.draft, body.member)
    if row is None or not row.is_member:
        return False
    contract = contracts.CONTRACTS.find(day.draft, body.member)
    if contract is not None and contract.is_in_force:
        contracts.end_contract(day, body.member)
    elif contract is not None and contracts.is_held(contract):
        contracts.end_held(day, contract)
    else:
        members.end_membership(day, body.member)
    day.emit("member_expelled", member=body.member)
    return True


_EFFECTS: dict[str, Callable[[Day, ProposeBody], bool]] = {
    "demote": _effect_demote, "param": _effect_param, "list": _effect_list, "plan": _effect_plan, "phase": _effect_phase, "expel": _effect_expel,
}  # fmt: skip
