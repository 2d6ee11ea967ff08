"""Collects the receipts of a proposal, of a member's renewals and of a plan's premium while replaying a history."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from governance import transition
from governance.acts import Act
from governance.benefits import covers
from governance.day import Day, ceil_div
from governance.enrolment import renewal
from governance.events import Event
from governance.genesis import GenesisSpec, genesis_rows
from governance.history import PastBlock
from governance.kinds import decode_body
from governance.money import accounts, premiums
from governance.receipts import facts, other_shapes, reasons
from governance.shaping import filled
from governance.state.contracts import CONTRACTS
from governance.state.members import MEMBERS, MemberRow
from governance.state.plans import PLAN_TERMS, PLANS, PlanRow
from governance.state.proposals import PROPOSALS
from governance.tables import Draft
from governance.transition import BlockContext, OpenBlock, Outcome
from governance.voting import approval_threshold, proposals
from governance.voting.proposals import CastBody, SponsorBody
from ledger import calendar
from ledger.store import MemoryStore

WINDOW_TERMS = 12


class _Replay:
    """A replay of a history that notes what a receipt needs."""

    def __init__(self, spec: GenesisSpec) -> None:
        self.state = MemoryStore(genesis_rows(spec))
        self.height = 0

    def step(self, block: PastBlock) -> Outcome:
        """Replay the next block; RuleBroken or MalformedBytes if one of its records is refused."""
        opened = OpenBlock(self.state, BlockContext(block.height, block.randomness))
        day = opened.day
        day.watch = self.listen(day)
        for act in block.acts:
            opened.take(act)
            self.took(day, act)
        for phase in transition.closing_of(day.height):
            if phase is transition.end_term:
                self.before_term(day)
            phase(day)
            if phase is transition.end_term:
                self.after_term(day)
        outcome = Outcome(day.draft.delta(), tuple(day.events))
        self.state.write(outcome.delta)
        self.height = block.height
        return outcome

    def listen(self, day: Day) -> Callable[[Event], None]:
        """Return the listener to the events of a day."""
        del day
        return lambda _event: None

    def took(self, day: Day, act: Act) -> None:
        """Note a record of the block."""

    def before_term(self, day: Day) -> None:
        """Note the state before a term ends."""

    def after_term(self, day: Day) -> None:
        """Note the state after a term ends."""

    def now(self) -> Day:
        """Return the last block as a day, to read from."""
        return Day(Draft(self.state), self.height, b"")


# ---- Proposals -----------------------------------------------------------------
class ProposalCollector(_Replay):
    """The receipt of one proposal."""

    def __init__(self, spec: GenesisSpec, proposal: bytes) -> None:
        super().__init__(spec)
        self._proposal = proposal
        self._sponsors: list[other_shapes.Sponsor] = []
        self._votes: dict[bytes, other_shapes.ProposalVote] = {}
        self._needed: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._judged: int | None = None

    def took(self, day: Day, act: Act) -> None:
        """Note signatures and votes."""
        if act.kind == "proposal.open" and act.record_id == self._proposal:
            self._sign(day, act.author)
        elif act.kind == "proposal.sponsor":
            body: SponsorBody = decode_body(act.kind, act.body)
            if body.proposal == self._proposal:
                self._sign(day, act.author)
        elif act.kind == "proposal.vote":
            cast: CastBody = decode_body(act.kind, act.body)
            if cast.proposal == self._proposal:
                self._votes[act.author] = other_shapes.ProposalVote(act.author, day.height, cast.choice)

    def _sign(self, day: Day, author: bytes) -> None:
        self._sponsors.append(other_shapes.Sponsor(author, day.height))
        set_now = day.params
        self._needed = day.counts.voters, set_now.sponsor_min, set_now.sponsor_div, proposals.sponsors_needed(day)

    def listen(self, day: Day) -> Callable[[Event], None]:
        """Hear the judgement."""

        def hear(event: Event) -> None:
            if event.name in ("proposal_passed", "proposal_failed") and event.fields["proposal"] == self._proposal:
                self._judged = day.height

        return hear

    def receipt(self) -> other_shapes.ProposalReceipt | None:
        """Return the receipt, None when there is no such proposal."""
        day = self.now()
        row = PROPOSALS.find(day.draft, self._proposal)
        if row is None:
            return None
        vote_params = proposals.params_of(day, row)
        is_open = row.status != "gathering"
        voters, least, div, needed = self._needed
        turnout = proposals.turnout_needed(row, vote_params) if is_open else 0
        critical = proposals.is_critical(row.body)
        passes, reason = reasons.proposal(row.yes, row.no, row.abstain, turnout, is_critical=critical)
        return filled(
            other_shapes.ProposalReceipt,
            row,
            vote_params,
            height=self.height,
            is_critical=critical,
            sponsors=tuple(self._sponsors),
            voters=voters,
            sponsor_min=least,
            sponsor_div=div,
            sponsors_needed=needed,
            opened_height=row.opened_height if is_open else None,
            turnout_needed=turnout,
            votes=tuple(vote for _, vote in sorted(self._votes.items())),
            judged_height=self._judged,
            passes=passes and self._judged is not None,
            effective_height=row.effective_height or None,
            void_reason=row.why,
            reason=reason if self._judged is not None else "",
        )


# ---- Members -------------------------------------------------------------------
class MemberCollector(_Replay):
    """A member's approval threshold, and every boundary that judged the renewal."""

    def __init__(self, spec: GenesisSpec, member: bytes) -> None:
        super().__init__(spec)
        self._member = member
        self._before: MemberRow | None = None
        self._renewals: list[other_shapes.Renewal] = []
        self._heard = ""

    def listen(self, day: Day) -> Callable[[Event], None]:
        """Hear the judgement of the member's renewal."""
        del day
        self._heard = ""

        def hear(event: Event) -> None:
            if event.name.startswith("renewal_") and event.fields["member"] == self._member:
                self._heard = event.name.removeprefix("renewal_")

        return hear

    def before_term(self, day: Day) -> None:
        """Note the member and the contract that are about to be judged."""
        row, contract = MEMBERS.find(day.draft, self._member), CONTRACTS.find(day.draft, self._member)
        is_judged = (
            day.height >= renewal.FIRST_BOUNDARY
            and row is not None
            and row.is_member
            and contract is not None
            and contract.is_in_force
        )
        self._before = row if is_judged else None

    def after_term(self, day: Day) -> None:
        """Note the judgement, unless notice or premiums owed ended the contract before it."""
        if self._before is None:
            return
        before, row = self._before, MEMBERS.get(day.draft, self._member)
        ended_by_renewal = not row.is_member and before.until is not None and day.height >= before.until
        if not row.is_member and not ended_by_renewal:
            return
        terms = range(day.term - WINDOW_TERMS + 1, day.term + 1)
        denied, voted, closings = approval_threshold.record_over_terms(day.draft, self._member, terms)
        set_now = day.params
        counts = voted >= set_now.renewal_min and closings >= set_now.renewal_terms
        contract = CONTRACTS.get(day.draft, self._member)
        is_refusable = counts and 100 * denied >= set_now.renewal_pct * voted
        rows = [row for row in approval_threshold.records_of(day.draft, self._member) if row.term in terms]
        self._renewals.append(
            filled(
                other_shapes.Renewal,
                set_now,
                height=day.height,
                terms=tuple(filled(other_shapes.RenewalTerm, row) for row in rows),
                denied=denied,
                voted=voted,
                terms_with_closings=closings,
                is_refusable=is_refusable,
                is_warnable=counts and 100 * denied >= set_now.warning_pct * voted,
                was_warned=before.is_warned,
                until_before=before.until,
                last_block=calendar.last_height_of(contract.last_term),
                until=row.until,
                outcome=self._heard or ("ended" if ended_by_renewal else "none"),
                reason=reasons.renewal(denied, voted, closings, set_now),
            )
        )

    def receipt(self) -> other_shapes.MemberReceipt | None:
        """Return the receipt, None if no past or present member has this key."""
        day = self.now()
        row = MEMBERS.find(day.draft, self._member)
        if row is None:
            return None
        set_now, standing = day.params, approval_threshold.threshold_of(day, row)
        bar = facts.bar_facts(day, row, standing.threshold_bp, standing.seniority_bp, set_now)
        own = {"member": self._member, "height": self.height, "bar": bar, "renewals": tuple(self._renewals)}
        return filled(other_shapes.MemberReceipt, set_now, **own)


# ---- Premiums --------------------------------------------------------------------
class PremiumCollector(_Replay):
    """Every re-rating of a plan."""

    def __init__(self, spec: GenesisSpec, plan: str) -> None:
        super().__init__(spec)
        self._plan = plan
        self._reratings: list[other_shapes.Rerating] = []

    def listen(self, day: Day) -> Callable[[Event], None]:
        """Hear a new premium, and read its inputs."""

        def hear(event: Event) -> None:
            if event.name == "premium_set" and event.fields["plan"] == self._plan:
                self._reratings.append(_rerating_of(day, PLANS.get(day.draft, self._plan), event))

        return hear

    def receipt(self) -> other_shapes.PremiumReceipt | None:
        """Return the receipt, None when there is no such plan."""
        day = self.now()
        if PLANS.find(day.draft, self._plan) is None:
            return None
        own = {"plan": self._plan, "height": self.height, "reratings": tuple(self._reratings)}
        return filled(other_shapes.PremiumReceipt, day.coop, **own)


def _rerating_of(day: Day, plan: PlanRow, event: Event) -> other_shapes.Rerating:
    """Return the inputs of a plan's re-rating; its row still holds the old premium."""
    set_now = day.params
    span = range(max(0, day.term - WINDOW_TERMS + 1), day.term + 1)
    rows = [(term, PLAN_TERMS.find(day.draft, plan.name, term)) for term in span]
    terms = tuple(
        other_shapes.PlanTerm(term, row.weight_bp, row.benefits_cents) for term, row in rows if row is not None
    )
    cost, pairs = sum(row.benefits_cents for row in terms), sum(row.weight_bp for row in terms)
    weight = pairs + covers.FULL_BP * set_now.credibility_k
    estimate = None if weight == 0 else (cost + set_now.credibility_k * plan.prior_cents) * covers.FULL_BP // weight
    old, target = event.fields["old_cents"], event.fields["target_cents"]
    low, high = ceil_div(9 * old, 10), 11 * old // 10
    found = filled(
        other_shapes.Rerating,
        set_now,
        height=day.height,
        terms=terms,
        cost_cents=cost,
        weight_bp=weight,
        prior_cents=plan.prior_cents,
        estimate_cents=estimate,
        reserve_cents=accounts.balance_of(day.draft, "reserve"),
        annual_premium_cents=accounts.annual_premium_of(day),
        load_bp=set_now.reserve_bp if accounts.is_reserve_short(day) else 0,
        low_cents=low,
        high_cents=high,
        reason="",
        **{name: event.fields[name] for name in ("old_cents", "target_cents", "new_cents")},
    )
    assert found.new_cents == premiums.clamp_premium(old, target), "the event tells the clamped premium"
    return replace(found, reason=reasons.premium(found))


def live_through(replay: _Replay, blocks: Iterable[PastBlock]) -> None:
    """Replay a whole history."""
    for block in blocks:
        replay.step(block)
