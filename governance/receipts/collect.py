"""Replays a history from genesis and notes everything that decided the claims asked for.

The collector applies every block as the ledger did and notes, right before and right after each step, what the step
read and wrote. It decides nothing; an independent recomputation would show a figure that differs from the ledger's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from msgspec.structs import replace

from governance import transition
from governance.benefits import community, preauthorisation, settlement
from governance.day import Day, lower_median
from governance.events import Event
from governance.filing.claims import EvidenceBody
from governance.genesis import GenesisSpec, genesis_rows
from governance.history import PastBlock
from governance.kinds import decode_body
from governance.money import accounts, rates
from governance.receipts import facts, parts, reasons, shapes
from governance.state.appeals import APPEALS
from governance.state.audits import DRAWN_AUDITS
from governance.state.cases import CASES, SMALL_PAID, streak_of
from governance.state.claims import CLAIMS
from governance.state.params import params_at
from governance.state.payouts import RECEIVABLES
from governance.tables import Draft
from governance.transition import BlockContext, OpenBlock, Outcome
from governance.voting import appeals, audits, ballots, cases
from ledger import calendar
from ledger.store import MemoryStore

NO_VOTE = "lines with a standard code need no vote, and lines refused in the carrying block are decided by it"
CARRIED_REFUSALS = (settlement.NO_COVER, settlement.WAITING, settlement.NOT_IN_PLAN, settlement.FILED_LATE)
ENDS = {
    "withdrawn": ("§5", "withdrawn by the claimant"),
    "cancelled": ("§9", "a finding of fraud cancels what is open"),
}
HAPPENINGS = ("hold_placed", "hold_lifted", "fraud_found")


@dataclass(slots=True)
class _Claim:
    """A receipt under construction."""

    receipt: shapes.Receipt
    member: bytes
    running: facts.Running
    cases: dict[str, shapes.Case] = field(default_factory=dict[str, shapes.Case])
    payouts: dict[str | None, shapes.Payout] = field(default_factory=dict[str | None, shapes.Payout])
    waiting: list[shapes.Settlement] = field(default_factory=list[shapes.Settlement])
    """Lines just settled; the event that follows names their case."""
    payouts_due: list[str | None] = field(default_factory=list[str | None])
    """Decided in this block; the payout exists after the event."""
    live: dict[str, dict[tuple[bytes, bytes | None], tuple[int, facts.Counting]]] = field(
        default_factory=dict[str, dict[tuple[bytes, bytes | None], tuple[int, facts.Counting]]]
    )
    """By code: ballots that count, since which block."""

    def put(self, **changes: object) -> None:
        self.receipt = replace(self.receipt, **changes)  # type: ignore[arg-type]


class Collector:
    """Receipts of some claims (None: of all), extended block by block."""

    def __init__(self, spec: GenesisSpec, wanted: set[bytes] | None) -> None:
        self.state = MemoryStore(genesis_rows(spec))
        self.height = 0
        self._wanted = wanted
        self._claims: dict[bytes, _Claim] = {}
        self._open: set[tuple[bytes, str]] = set()
        self._phase = ""
        self._start: tuple[int, int] = (0, 0)
        self._balances: tuple[int, int] = (0, 0)
        """Claims and reserve at the start of the phase, and now."""
        self._queue: tuple[int, int] | None = None
        """Sum owed and number of the payouts of this phase."""
        self._tell: dict[str, Callable[[Day, _Claim, Event], None]] = {
            "claim_line": self._line,
            "claim_accepted": self._accepted,
            "claim_denied": self._denied,
            "claim_lapsed": self._lapsed,
            "preauthorised": self._preauthorised,
            "panel_drawn": self._panel,
            "appeal_opened": self._appealed,
        }

    def step(self, block: PastBlock) -> Outcome:
        """Replay the next block; RuleBroken or MalformedBytes if one of its records is refused."""
        opened = OpenBlock(self.state, BlockContext(block.height, block.randomness))
        day = opened.day
        day.watch = self._listen(day)
        for act in block.acts:
            opened.take(act)
            if act.kind == "claim.file" and (self._wanted is None or act.record_id in self._wanted):
                self._filed(day, self._claim(day, act.record_id))
            elif act.kind == "claim.evidence":
                self._evidence(day, decode_body(act.kind, act.body))
        for found in self._open:
            self._count(day, *found)
        for phase in transition.closing_of(day.height):
            self._phase = phase.__name__
            # at the end of run-off an unpaid payout leaves the queue without an event: count before the first payment
            self._queue = parts.queue_of(day, is_final=True) if self._phase == "end_term" else None
            self._start = self._balances = (
                accounts.balance_of(day.draft, "claims"),
                accounts.balance_of(day.draft, "reserve"),
            )
            phase(day)
        for found in sorted(self._open):
            self._after(day, *found)
        for noted in self._claims.values():
            for case in noted.payouts_due:
                noted.payouts[case] = parts.payout_of(day, noted.receipt, case)
            noted.payouts_due.clear()
        outcome = Outcome(day.draft.delta(), tuple(day.events))
        self.state.write(outcome.delta)
        self.height = block.height
        return outcome

    def receipt(self, claim: bytes) -> shapes.Receipt | None:
        """Return the receipt of a claim as of the last block, None when no such claim was filed."""
        noted = self._claims.get(claim)
        if noted is None:
            return None
        day = Day(Draft(self.state), self.height, b"")
        for case in list(noted.cases.values()):
            if case.appeal is not None and case.appeal.judged_height is None:
                now = parts.appeal_now(day, claim, case.code, case.appeal)
                noted.cases[case.code] = replace(case, appeal=now)
        filed = CLAIMS.find(day.draft, claim)
        debtor = noted.member if filed is None else community.debtor_of(filed)
        owed_back = RECEIVABLES.find(day.draft, debtor, claim)
        owed_cents = None if owed_back is None else owed_back.value
        happenings = (
            replace(item, owed_back_cents=owed_cents if item.event == "fraud_found" else None)
            for item in noted.receipt.happenings
        )
        noted.put(happenings=tuple(happenings))
        noted.put(
            height=self.height,
            is_disbanded=day.coop.is_disbanded,
            cases=tuple(self._whole(noted, case) for _, case in sorted(noted.cases.items())),
            payouts=tuple(
                parts.standing(day, claim, item)
                for _, item in sorted(noted.payouts.items(), key=lambda pair: pair[0] or "")
            ),
        )
        return noted.receipt

    def receipts(self) -> list[shapes.Receipt]:
        """Return all receipts, by claim."""
        return [found for claim in sorted(self._claims) if (found := self.receipt(claim)) is not None]

    # ---- Filing ---------------------------------------------------------------
    def _claim(self, day: Day, claim_id: bytes) -> _Claim:
        """Return the receipt under construction, begun with the first event of a claim."""
        found = self._claims.get(claim_id)
        if found is None:
            row = CLAIMS.get(day.draft, claim_id)
            found = self._claims[claim_id] = _Claim(
                parts.begun(day, row), row.member, facts.Running(row.other_payer_cents)
            )
        return found

    def _filed(self, day: Day, noted: _Claim) -> None:
        """Note, right after the claim's record, its cases and whether it was drawn for audit."""
        row = CLAIMS.get(day.draft, noted.receipt.claim)
        noted.put(settlements=(*noted.receipt.settlements, *noted.waiting))
        noted.waiting.clear()
        used = (row.lines[line.line].authorised_by for line in noted.receipt.lines)
        pairs = zip(noted.receipt.lines, used, strict=True)
        noted.put(lines=tuple(replace(line, authorised_by=claim) for line, claim in pairs))
        drawn = DRAWN_AUDITS.find(day.draft, row.claim)
        number = int.from_bytes(sha256(day.randomness + b"audit" + row.claim).digest(), "big") % audits.ODDS_BASE
        trigger = None if drawn is None else drawn.trigger
        if row.use != preauthorisation.USE:
            noted.put(
                audit=shapes.AuditDraw(
                    day.randomness.hex(), number, day.params.audit_random_bp, trigger, drawn is not None
                )
            )
        for case in CASES.scan(day.draft, row.claim):
            noted.cases[case.code] = parts.carried(day, case)
            noted.live[case.code] = {}
            self._open.add((row.claim, case.code))

    def _evidence(self, day: Day, body: EvidenceBody) -> None:
        noted = self._claims.get(body.claim)
        if noted is not None:
            row = CLAIMS.get(day.draft, body.claim)
            version = shapes.EvidenceVersion(row.evidence_version, day.height, len(row.evidence))
            noted.put(evidence=(*noted.receipt.evidence, version))

    # ---- Votes ----------------------------------------------------------------
    def _count(self, day: Day, claim: bytes, code: str) -> None:
        """Note which ballots count in this block, right before the tallies."""
        noted, row = self._claims[claim], CASES.get(day.draft, claim, code)
        if row.status != "open" or row.carried_height == day.height:
            return
        now, live = facts.counting_of(day, row), noted.live[code]
        gone = [key for key, (_, how) in live.items() if now.get(key) != how]
        ended = tuple(parts.counted(key, live.pop(key), day.height - 1) for key in gone)
        for key, how in now.items():
            live.setdefault(key, (day.height, how))
        noted.cases[code] = replace(noted.cases[code], ballots=(*noted.cases[code].ballots, *ended))

    def _after(self, day: Day, claim: bytes, code: str) -> None:
        """Note the result of the block for a case: what s fixed, the tally, the end."""
        noted, row = self._claims[claim], CASES.get(day.draft, claim, code)
        case = noted.cases[code]
        if row.status in ("withdrawn", "cancelled"):
            rule, why = ENDS[row.status]
            ended = shapes.Decision(day.height, row.status, None, rule, why, (), None, 0)
            case = replace(case, status=row.status, decisions=(*case.decisions, ended))
            noted.cases[code] = _ended(noted, case, day.height - 1)
            self._open.discard((claim, code))
        elif row.carried_height == day.height:
            noted.cases[code] = parts.frozen(day, CLAIMS.get(day.draft, claim), row, case)
        else:
            noted.cases[code] = self._tallied(day, noted, code)

    def _tallied(self, day: Day, noted: _Claim, code: str) -> shapes.Case:
        """Return a case with this block's tally, as the ledger keeps it."""
        row, case = CASES.get(day.draft, noted.receipt.claim, code), noted.cases[code]
        case_params = params_at(day.draft, row.params_version)
        tally = ballots.Tally(yes=row.yes, no=row.no, opened=row.opened)
        tally.abstain = sum(how[0] == "abstain" for _, how in noted.live[code].values())
        holds_now, share = cases.has_quorum(row, tally, case_params), cases.has_majority(row, tally)
        mark = shapes.TallyRow(
            day.height,
            row.yes,
            row.no,
            tally.abstain,
            row.opened,
            holds_now,
            share,
            holds_now and share,
            streak_of(row, day.height),
        )
        return replace(case, tallies=(*case.tallies, mark))

    def _whole(self, noted: _Claim, case: shapes.Case) -> shapes.Case:
        """Return a case with the ballots that count now."""
        live = tuple(parts.counted(key, since, self.height) for key, since in noted.live[case.code].items())
        rows = sorted((*case.ballots, *live), key=lambda item: (item.from_height, item.voter, item.delegator or b""))
        return replace(case, ballots=tuple(rows))

    # ---- Events, as they are emitted ---------------------------------------------
    def _listen(self, day: Day) -> Callable[[Event], None]:
        def hear(event: Event) -> None:
            claim = event.fields.get("claim")
            if event.name in ("payout_due", "payout_short"):
                self._paid(day, event)
            elif event.name in HAPPENINGS:
                self._happened(day, event)
            elif claim is not None and (self._wanted is None or claim in self._wanted):
                tell = self._tell.get(event.name)
                if tell is not None:
                    tell(day, self._claim(day, claim), event)

        return hear

    def _line(self, day: Day, noted: _Claim, event: Event) -> None:
        if event.fields["refusal"] not in CARRIED_REFUSALS:
            row = CLAIMS.get(day.draft, noted.receipt.claim)
            settled = facts.settlement_of(day, row, event.fields["line"], noted.running)
            if row.use == preauthorisation.USE:  # played in a savepoint, to be undone
                noted.put(estimates=(*noted.receipt.estimates, settled))
            else:
                noted.waiting.append(settled)

    def _accepted(self, day: Day, noted: _Claim, event: Event) -> None:
        code, how, award = (event.fields[name] for name in ("case", "how", "award_cents"))
        benefit: int = event.fields.get("benefit_cents", 0)
        left: int | None = award
        if code is None:
            noted.put(settlements=(*noted.receipt.settlements, *noted.waiting))
            noted.waiting.clear()
        for item in noted.waiting:
            after = left if left is None or item.refusal is not None else left - item.allowed_cents
            named = replace(item, case=code, how=how, award_before_cents=left, award_left_cents=after)
            noted.put(settlements=(*noted.receipt.settlements, named))
            left = after
        noted.waiting.clear()
        if noted.receipt.use != preauthorisation.USE:
            noted.payouts_due.append(code)
        if code is None:
            noted.put(standard=shapes.Decision(day.height, "accepted", how, "§5", NO_VOTE, (), None, benefit))
            return
        case = self._tallied(day, noted, code) if how != "appeal" else self._judged(day, noted, code)
        charges, awards = case.charges_cents, tuple[int, ...]()
        if how == "appeal":
            assert case.appeal is not None
            assert case.bar is not None
            awards = tuple(
                charges if row.award_cents is None else row.award_cents
                for row in case.appeal.ballots
                if row.choice == "accept"
            )
            rule, why = "§9", reasons.appealed(case.appeal, case.bar.need_bp)
        else:
            if how == "vote":
                live = noted.live[code].values()
                awards = tuple(
                    charges if item is None else item for _, (choice, item, _, _) in live if choice == "accept"
                )
            rule, why = "§6", reasons.accepted(case, case.tallies[-1], how)
        assert not awards or lower_median(list(awards)) == award, (
            "the award is the lower median of the accepting ballots"
        )
        done = shapes.Decision(day.height, "accepted", how, rule, why, tuple(sorted(awards)), award, benefit)
        self._decided(noted, case, done, is_small_used=False if how == "small" else None)

    def _preauthorised(self, day: Day, noted: _Claim, event: Event) -> None:
        """Note a pre-authorisation, which is decided like a case, allows units, and pays nothing."""
        self._accepted(day, noted, event)
        code, fields = event.fields["case"], event.fields
        allowed = shapes.Authorisation(fields["units"], fields["award_cents"], fields["first_day"], fields["last_day"])
        noted.cases[code] = replace(noted.cases[code], authorisation=allowed)

    def _denied(self, day: Day, noted: _Claim, event: Event) -> None:
        code: str = event.fields["case"]
        if noted.cases[code].appeal is not None:
            case = self._judged(day, noted, code)
            assert case.appeal is not None
            assert case.bar is not None
            rule, why = "§9", reasons.appealed(case.appeal, case.bar.need_bp)
        else:
            case = self._tallied(day, noted, code)
            rule, why = "§6", reasons.denied(case, case.tallies[-1])
        self._decided(
            noted, case, shapes.Decision(day.height, "denied", None, rule, why, (), None, 0), is_small_used=None
        )

    def _lapsed(self, day: Day, noted: _Claim, event: Event) -> None:
        case = self._tallied(day, noted, event.fields["case"])
        why = reasons.lapsed(case, case.tallies[-1])
        is_used = SMALL_PAID.find(day.draft, noted.member, day.term) is not None
        is_small = case.charges_cents <= case.params.small_claim_cents and noted.receipt.use != preauthorisation.USE
        self._decided(
            noted,
            case,
            shapes.Decision(day.height, "lapsed", None, "§6", why, (), None, 0),
            is_small_used=is_used if is_small else None,
        )

    def _decided(self, noted: _Claim, case: shapes.Case, done: shapes.Decision, *, is_small_used: bool | None) -> None:
        case = replace(case, decisions=(*case.decisions, done), status=done.outcome, is_small_used=is_small_used)
        noted.cases[case.code] = _ended(noted, case, done.height)
        self._open.discard((noted.receipt.claim, case.code))

    # ---- Appeals, panels, money ----------------------------------------------------
    def _panel(self, day: Day, noted: _Claim, event: Event) -> None:
        code: str = event.fields["case"]
        case = noted.cases[code]
        cast = sum(how[0] != "abstain" for _, how in noted.live[code].values())
        lacking = case.quorum - cast
        size = min(case.eligible, max(case.params.panel_size, 2 * lacking))
        panel = shapes.Panel("duty", day.height, day.randomness.hex(), size, event.fields["members"])
        noted.cases[code] = replace(case, panel=panel, lacking=lacking)

    def _appealed(self, day: Day, noted: _Claim, event: Event) -> None:
        code: str = event.fields["case"]
        row, case = CASES.get(day.draft, noted.receipt.claim, code), noted.cases[code]
        appeal = APPEALS.get(day.draft, row.claim, code)
        eligible, fresh = appeals.pool_of(day, row)
        panel = shapes.Panel("appeal", day.height, day.randomness.hex(), case.params.appeal_panel, appeal.panel)
        opened = shapes.Appeal(day.height, appeal.ground, len(eligible), len(fresh), panel, (), None, 0, 0, 0, 0, False)
        noted.cases[code] = replace(case, appeal=opened)

    def _judged(self, day: Day, noted: _Claim, code: str) -> shapes.Case:
        """Return a case with its appeal's ballots and judgement."""
        case = noted.cases[code]
        assert case.appeal is not None
        row = APPEALS.get(day.draft, noted.receipt.claim, code)
        done = parts.appeal_now(day, noted.receipt.claim, code, case.appeal)
        return replace(case, appeal=replace(done, judged_height=day.height, passes=row.status == "accepted"))

    def _paid(self, day: Day, event: Event) -> None:
        """Note a payment with the accounts right before it, which every payment of the block changes."""
        fields, before = event.fields, self._balances
        is_final = self._phase == "end_term"
        if self._queue is None:
            self._queue = parts.queue_of(day, is_final=False)
        total, count = self._queue
        self._balances = accounts.balance_of(day.draft, "claims"), accounts.balance_of(day.draft, "reserve")
        noted = self._claims.get(fields["claim"])
        if noted is None:
            return
        payout = noted.payouts[fields["case"]]
        if event.name == "payout_short" and fields["paid_cents"]:
            return  # noted with the payment
        owed, paid = payout.owed_cents, fields.get("amount_cents", 0)
        claims_cents, reserve = self._start
        cap = None if is_final else reserve * day.params.claim_reserve_bp // 10_000
        available = claims_cents + (reserve if cap is None else min(reserve, cap * count))
        rate = rates.rate_now(day)
        assert rate is not None, "without a rate payouts wait"
        payment = shapes.Payment(
            height=day.height,
            owed_cents=owed,
            claims_cents=before[0],
            reserve_cents=before[1],
            start_claims_cents=claims_cents,
            start_reserve_cents=reserve,
            claim_reserve_bp=day.params.claim_reserve_bp,
            cap_cents=cap,
            payouts=count,
            total_owed_cents=total,
            available_cents=available,
            is_at_ratio=available < total and (is_final or calendar.is_boundary(day.height)),
            rate=rate,
            paid_cents=paid,
            amount_sat=fields.get("amount_sat", 0),
            left_cents=0 if is_final else owed - paid,
            transfer=None,
        )
        noted.payouts[fields["case"]] = replace(
            payout, payments=(*payout.payments, payment), owed_cents=payment.left_cents
        )

    def _happened(self, day: Day, event: Event) -> None:
        """Note a hold, its end or a finding at the claim it names, or at all of the cover or provider held."""
        key, named = event.fields["member"], event.fields["claim"]
        for claim, noted in self._claims.items():
            if (
                claim == named
                or key == noted.receipt.provider
                or (key == noted.receipt.cover and event.name != "fraud_found")
            ):
                happening = shapes.Happening(day.height, event.name, event.fields["trigger"], None)
                noted.put(happenings=(*noted.receipt.happenings, happening))


def _ended(noted: _Claim, case: shapes.Case, last: int) -> shapes.Case:
    """Return a case whose ballots counted for the last time in block `last`."""
    live = noted.live[case.code]
    done = tuple(parts.counted(key, since, last) for key, since in live.items())
    live.clear()
    return replace(case, ballots=(*case.ballots, *done))
