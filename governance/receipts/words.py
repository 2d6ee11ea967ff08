"""A receipt in plain sentences, for the member it is about: what was decided, by which rule, with every figure.

The only place that says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from governance.receipts import other_shapes, shapes

REFUSALS = {
    1: "there was no cover on that day",
    2: "the day lies in the waiting time of a first contract",
    3: "the units of this code for the benefit year are used up",
    4: "the plan does not cover this code",
    7: "another payer covers the whole charge",
    8: "it was filed too late",
}
"""The numbered reasons of rules §5."""
CEILINGS = {
    "claim": "a claim",
    "event": "the claims of one event",
    "visit": "one provider and day",
    "year": "the benefit year",
    "pilot": "a claim in the pilot",
    "pilot_event": "the claims of one event in the pilot",
}
TRANSFERS = {
    "due": "the signers pay it with their next batch",
    "queued": "partly sent, the rest waits for the next batch",
    "batched": "in a batch that the signers send",
    "confirmed": "confirmed on the chain",
}
ID_SHOWN = 12


def percent(basis_points: int) -> str:
    """Return basis points as a percentage.

    >>> percent(7500), percent(8050)
    ('75 %', '80.5 %')
    """
    return f"{basis_points // 100}{f'.{basis_points % 100:02d}'.rstrip('0') if basis_points % 100 else ''} %"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "block"), counted(2, "block")
    ('1 block', '2 blocks')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, slots=True)
class Teller:
    """How one receipt is told: its currency, and how keys and ids are shown."""

    currency: str
    exponent: int
    of_bytes: Callable[[bytes], str]

    def money(self, cents: int) -> str:
        """Return minor units for people.

        >>> Teller("USD", 2, bytes.hex).money(123456), Teller("XAF", 0, bytes.hex).money(5000)
        ('1,234.56 USD', '5,000 XAF')
        """
        return f"{self.bare(cents)} {self.currency}"

    def bare(self, cents: int) -> str:
        """Return minor units without the currency."""
        if self.exponent == 0:
            return f"{cents:,}"
        whole, part = divmod(cents, 10**self.exponent)
        return f"{whole:,}.{part:0{self.exponent}d}"

    def name(self, key: bytes) -> str:
        """Return a key or id, shortened."""
        text = self.of_bytes(key)
        return text if len(text) <= ID_SHOWN else text[:ID_SHOWN]


def explain(receipt: shapes.Receipt, of_bytes: Callable[[bytes], str]) -> Iterator[str]:
    """Yield a claim's receipt, sentence by sentence. Steps and details are indented under what they belong to."""
    tell = Teller(receipt.currency, receipt.exponent, of_bytes)
    yield from _filing(receipt, tell)
    settled = {item.line: item for item in (*receipt.settlements, *receipt.estimates)}
    for line in receipt.lines:
        yield from _line(receipt, line, settled.get(line.line), tell)
    for case in receipt.cases:
        yield from _case(receipt, case, tell)
    for payout in receipt.payouts:
        yield from _payout(receipt, payout, tell)
    yield from _audit(receipt, tell)


def _filing(receipt: shapes.Receipt, tell: Teller) -> Iterator[str]:
    charged = sum(line.charge_cents for line in receipt.lines)
    benefit = sum(item.benefit_cents for item in receipt.settlements)
    opened = [case.code for case in receipt.cases if case.status == "open"]
    state = f"The vote on {', '.join(opened)} is under way" if opened else "Everything in it is decided"
    yield (
        f"Claim {tell.name(receipt.claim)} was filed in block {receipt.filed_height} for {tell.money(charged)}."
        f" {state}; the benefit so far is {tell.money(benefit)}, paid to the {receipt.payee}."
    )
    if receipt.use == "preauth":
        yield (
            "It is a pre-authorisation: nothing is paid for it and nothing is used up; cover, plan, limits and ceilings"
            " will be those of the day (§5)."
        )
    if receipt.other_payer_cents:
        yield (
            f"Another payer's {tell.money(receipt.other_payer_cents)} is taken from the charges first, in the order of"
            " settlement (§5)."
        )
    for item in receipt.evidence[1:]:
        yield (
            f"New evidence came in block {item.height}: version {item.version}, {counted(item.documents, 'document')}"
            " in all (§6)."
        )


# ---- Lines ------------------------------------------------------------------
def _line(
    receipt: shapes.Receipt, line: shapes.FiledLine, settled: shapes.Settlement | None, tell: Teller
) -> Iterator[str]:
    name = f"Line {line.line + 1}, {line.units} × {line.code} of day {line.first_day}, {tell.money(line.charge_cents)}"
    if line.refusal is not None:
        yield (
            f"{name}: refused in the carrying block, reason {line.refusal}: {REFUSALS[line.refusal]}."
            f" {_refused(receipt, line)} (§5)"
        )
        return
    if settled is None:
        case = next(case for case in receipt.cases if line.line in case.lines)
        words = {
            "open": "is being voted on",
            "denied": "was denied by vote",
            "lapsed": "lapsed without a decision",
            "withdrawn": "was withdrawn",
            "cancelled": "was cancelled by a finding of fraud",
            "accepted": "is authorised",
        }
        yield f"{name}: {words.get(case.status, case.status)}."
        return
    if settled.refusal is not None:
        yield (
            f"{name}: refused in settlement, reason {settled.refusal}: {REFUSALS[settled.refusal]}."
            f" {_refused_late(settled, tell)} (§5)"
        )
        return
    asked = "needs no pre-authorisation; a claim of it would be " if receipt.use == "preauth" else ""
    yield f"{name}: {asked}{_summary(settled, tell)}"
    yield from (f"  {text}" for text in _steps(settled, tell))


def _refused(receipt: shapes.Receipt, line: shapes.FiledLine) -> str:
    """Return the figures that a test of the carrying block was about."""
    cover = receipt.cover_facts
    if line.refusal == 8:
        return (
            f"It was filed in block {receipt.filed_height}; the last block for day {line.first_day} was"
            f" {line.last_filing_height}."
        )
    if line.refusal == 2 and cover is not None:
        return f"Days {cover.waiting_first_day} to {cover.waiting_last_day} are waiting."
    if line.refusal == 4:
        return f"The plan on that day was {line.plan}."
    if cover is None:
        return "There was no contract."
    spans = ", ".join(
        f"{span.first_day} to {'now' if span.last_day is None else span.last_day}" for span in cover.spans
    )
    gaps = [f"{first} to {last}" for first, last in cover.gaps] + (
        [] if cover.suspended_from is None else [f"{cover.suspended_from} on"]
    )
    without = f", without the days of suspension {', '.join(gaps)}" if gaps else ""
    run_off = f"; the co-op covers no day after {cover.run_off_height}" if cover.run_off_height is not None else ""
    return f"Cover held on days {spans or 'none'}{without}{run_off}."


def _refused_late(item: shapes.Settlement, tell: Teller) -> str:
    if item.refusal == 7:
        return (
            f"Of the other payer {tell.money(item.other_payer_before_cents)} was left, the charge is"
            f" {tell.money(item.charge_cents)}."
        )
    return f"The limit is {item.frequency} for the benefit year, {item.units_before} were settled before."


def _summary(item: shapes.Settlement, tell: Teller) -> str:
    kind = (
        f"by {item.how}"
        if item.case is not None
        else "standard"
        if item.award_before_cents is None
        else "pre-authorised"
    )
    parts = (
        (item.deductible_cents, "goes to your deductible"),
        (item.copay_cents, "is your copay"),
        (item.coinsurance_cents, "is your coinsurance"),
    )
    borne = [f"{tell.money(cents)} {words}" for cents, words in parts if cents]
    text = (
        f"settled in block {item.height} ({kind}, plan {item.plan}). Of the charge {tell.money(item.allowed_cents)} is"
        " allowed"
    )
    if item.units_paid != item.units:
        text += f" for {item.units_paid} of {item.units} units"
    text += "; " + (", ".join(borne) if borne else "nothing of it is yours to bear")
    if item.relief_cents:
        text += f"; {tell.money(item.relief_cents)} is relieved, because you have reached your plan's yearly maximum"
    if item.cut_cents:
        text += f"; {tell.money(item.cut_cents)} is cut by a ceiling"
    total = (
        item.allowed_cents,
        item.deductible_cents,
        item.copay_cents,
        item.coinsurance_cents,
        item.relief_cents,
        item.benefit_cents,
        item.cut_cents,
    )
    figures = "{} = {} + {} + {} − {} + {} + {}".format(*(tell.bare(cents) for cents in total))
    return (
        f"{text}. The co-op pays {tell.money(item.benefit_cents)}. "
        f"(allowed = deductible + copay + coinsurance − relief + benefit + cut: {figures})"
    )


def _steps(item: shapes.Settlement, tell: Teller) -> Iterator[str]:
    """Yield the steps of §5 with what each had before and leaves after."""
    if item.frequency is not None:
        yield (
            f"§5.1 units: the limit is {item.frequency} in benefit year {item.benefit_year + 1}, {item.units_before}"
            f" were settled before: {item.units_paid} of {item.units} here, {item.units_left} left."
        )
    bounds = [
        f"the charge less the other payer's share, {tell.bare(item.charge_cents)} − {tell.bare(item.other_payer_cents)}"
    ]
    if item.allowed_amount_cents is not None:
        bounds.append(f"the allowed amount, {item.units_paid} × {tell.bare(item.allowed_amount_cents)}")
    if item.award_before_cents is not None:
        bounds.append(f"what is left of the award, {tell.bare(item.award_before_cents)}")
    yield f"§5.2 allowed: the least of {'; '.join(bounds)}: {tell.bare(item.allowed_cents)}."
    if item.deductible_plan_cents:
        yield (
            f"§5.3 deductible: {tell.bare(item.deductible_plan_cents)} a year,"
            f" {tell.bare(item.deductible_before_cents)} borne before: {tell.bare(item.deductible_cents)} here,"
            f" {tell.bare(item.deductible_left_cents)} left."
        )
    if item.copay_plan_cents:
        taken = "taken by an earlier line" if item.is_copay_taken else f"{tell.bare(item.copay_cents)} here"
        yield f"§5.4 copay: {tell.bare(item.copay_plan_cents)} a claim: {taken}."
    if item.coinsurance_bp:
        rest = item.allowed_cents - item.deductible_cents - item.copay_cents
        yield (
            f"§5.5 coinsurance: {percent(item.coinsurance_bp)} of {tell.bare(rest)}, rounded up:"
            f" {tell.bare(item.coinsurance_cents)}."
        )
    if item.oop_max_cents is not None and item.oop_left_cents is not None:
        yield (
            f"§5.6 maximum: you bear at most {tell.bare(item.oop_max_cents)} a year,"
            f" {tell.bare(item.borne_before_cents)} borne before: relief of {tell.bare(item.relief_cents)},"
            f" {tell.bare(item.oop_left_cents)} left to bear."
        )
    for ceiling in item.ceilings:
        yield (
            f"§5.7 ceiling for {CEILINGS[ceiling.name]}: {tell.bare(ceiling.limit_cents)},"
            f" {tell.bare(ceiling.used_cents)} used before, {tell.bare(ceiling.left_cents)} left."
        )


# ---- Cases --------------------------------------------------------------------
def _case(receipt: shapes.Receipt, case: shapes.Case, tell: Teller) -> Iterator[str]:
    again = ", filed a second time" if case.is_second else ""
    yield f"Case {case.code}, {tell.money(case.charges_cents)}{again}: {_outcome(receipt, case, tell)}"
    if case.bar is None:
        return
    out = ", ".join(f"{item.voters} {item.reason}" for item in case.excluded if item.voters)
    yield (
        f"  §6 who votes: {counted(case.voters, 'voter')} at the end of block"
        f" {case.s}{f', without {out}' if out else ''}: E = {case.eligible}. Quorum {counted(case.quorum, 'ballot')},"
        f" {case.opened_needed} of them with the evidence opened."
    )
    yield f"  {_bar(case.bar, is_open=case.status == 'open')}"
    yield from (f"  {text}" for text in _votes(case))
    for item in case.decisions:
        yield f"  {item.rule} {item.outcome} in block {item.height}: {item.reason}."
        if item.award_cents is not None:
            awards = (
                f", the lower median of {', '.join(tell.bare(cents) for cents in item.awards)}" if item.awards else ""
            )
            yield (
                f"  The award is {tell.money(item.award_cents)}{awards}; the benefit {tell.money(item.benefit_cents)}."
            )
    if case.appeal is not None:
        yield f"  {_appeal(case.appeal)}"
    if case.authorisation is not None:
        item = case.authorisation
        yield (
            f"  §5 authorised: {item.units} × {case.code} by this provider, up to {tell.money(item.award_cents)}, for"
            f" days {item.first_day} to {item.last_day}: a claim line that fits in it needs no vote."
        )


def _outcome(receipt: shapes.Receipt, case: shapes.Case, tell: Teller) -> str:
    """Return how a case stands, and what the member can do now."""
    last = case.tallies[-1] if case.tallies else None
    closes = case.s + case.params.vote_blocks
    tally = (
        "no ballot yet"
        if last is None
        else (
            f"{last.yes} yes and {last.no} no of {case.eligible} members who may vote, {last.opened} of them with the"
            " evidence opened"
        )
    )
    if case.status == "open":
        share = f" ({100 * last.yes // (last.yes + last.no)} % yes)" if last is not None and last.yes + last.no else ""
        run = 0 if last is None else last.streak
        return (
            f"open until block {closes}, {counted(max(0, closes - receipt.height), 'block')} left. So far"
            f" {tally}{share}; the run stands at {run} of {case.params.streak_blocks} blocks."
        )
    done = case.decisions[-1]
    if case.status == "denied":
        until = done.height + case.params.appeal_within
        can = f"; you may appeal until block {until}" if case.appeal is None and receipt.height < until else ""
        return f"denied in block {done.height} with {tally}{can}."
    if case.status == "lapsed":
        return f"lapsed in block {done.height} with {tally}" + (
            "." if case.is_second else "; it may be filed again once, free."
        )
    if case.status == "accepted":
        ways = {
            "small": "settled in full as a small claim",
            "lapse": "settled after a second lapse",
            "appeal": "accepted on appeal",
        }
        if case.appeal is not None:
            tally = f"{case.appeal.yes} yes and {case.appeal.no} no of a panel of {len(case.appeal.panel.members)}"
        award = (
            ""
            if done.award_cents is None
            else f"; the award is {tell.money(done.award_cents)}, the benefit {tell.money(done.benefit_cents)}"
        )
        return f"{ways.get(done.how or '', 'accepted by vote')} in block {done.height} with {tally}{award}."
    return f"{case.status} in block {done.height}."


def _bar(bar: shapes.Bar, *, is_open: bool) -> str:
    """Return how the bar came about. Seniority is told once the vote is over (rules §7)."""
    text = (
        f"§7 your bar: {counted(bar.denied, 'denial')} among {counted(bar.voted, 'counted ballot')} in terms"
        f" {bar.first_term} to {bar.last_term}; 100·{bar.denied} = {100 * bar.denied} ≥ {bar.row_percent}·{bar.sample}"
        f" = {bar.row_percent * bar.sample}: {percent(bar.bar_bp)} yes is needed"
    )
    if is_open:
        return f"{text}."
    return (
        f"{text}, less seniority of {percent(bar.seniority_bp)} for {counted(bar.years, 'full year')}:"
        f" {percent(bar.need_bp)}."
    )


def _votes(case: shapes.Case) -> Iterator[str]:
    """Yield the tally of each block in which it changed; the whole list stands in the receipt."""
    before: tuple[int, int, int, int] | None = None
    for row in case.tallies:
        now = row.yes, row.no, row.abstain, row.opened
        if now != before:
            passes = "passes" if row.passes else "no quorum" if not row.has_quorum else "below the bar"
            yield (
                f"block {row.height}: {row.yes} yes, {row.no} no, {row.abstain} abstained, {row.opened} opened:"
                f" {passes}."
            )
        before = now
    if case.panel is not None:
        drawn = len(case.panel.members)
        yield (
            f"block {case.panel.height}: {case.lacking} of {counted(case.quorum, 'ballot')} lacked, a duty panel of"
            f" {drawn} was drawn and reminded."
        )


def _appeal(appeal: shapes.Appeal) -> str:
    where = "those who had not voted" if appeal.fresh >= 5 else "all, because fewer than 5 had not voted"
    text = (
        f"§9 appeal of block {appeal.height} ({appeal.ground}): a panel of {len(appeal.panel.members)} was drawn from"
        f" {where} ({appeal.fresh} of {appeal.eligible})"
    )
    if appeal.judged_height is None:
        return f"{text}; so far {appeal.yes} yes and {appeal.no} no, {appeal.quorum} ballots decide."
    return f"{text}; {appeal.yes} yes and {appeal.no} no. It is final."


# ---- Money and audits --------------------------------------------------------------
def _payout(receipt: shapes.Receipt, payout: shapes.Payout, tell: Teller) -> Iterator[str]:
    if not payout.benefit_cents:
        return
    name = "the standard part" if payout.case is None else f"case {payout.case}"
    yield (
        f"Payout of {name}: {tell.money(payout.benefit_cents)} accepted in block {payout.accepted_height}, due from the"
        " next block on (§11)."
    )
    for item in payout.payments:
        yield f"  block {item.height}: {_payment(item, tell)}"
    if payout.cancelled_cents:
        why = "the co-op disbanded" if receipt.is_disbanded else "fraud was found"
        yield f"  {tell.money(payout.cancelled_cents)} was cancelled: {why}."
    if payout.owed_cents:
        why = (
            "a hold keeps it back"
            if payout.is_on_hold
            else "it stays owed in its place and is paid as money comes in, once there is a rate"
        )
        yield f"  {tell.money(payout.owed_cents)} is still owed: {why}."


def _payment(item: shapes.Payment, tell: Teller) -> str:
    """Return what one block paid, and what held it back."""
    held = f"claims held {tell.bare(item.claims_cents)}, the reserve {tell.bare(item.reserve_cents)}"
    text = f"{tell.money(item.paid_cents)} of {tell.bare(item.owed_cents)} owed"
    if item.paid_cents:
        text += f" = {item.amount_sat} satoshi at {tell.bare(item.rate)} a bitcoin"
    if item.left_cents or item.is_at_ratio:
        cap = "" if item.cap_cents is None else f", of it at most {tell.bare(item.cap_cents)} for one payout"
        text += f"; {held}{cap}"
        if item.is_at_ratio:
            text += (
                f"; {tell.bare(item.available_cents)} against {tell.bare(item.total_owed_cents)} owed to all, so all"
                " were paid at one ratio"
            )
    if item.left_cents:
        text += f"; {tell.bare(item.left_cents)} left"
    if item.transfer is not None:
        credit = (
            f", {item.transfer.credit_sat} satoshi too small to send are kept as your credit"
            if item.transfer.credit_sat
            else ""
        )
        sent = (
            f"{item.transfer.sent_sat} satoshi of it sent in {counted(item.transfer.outputs, 'output')}, "
            if item.transfer.sent_sat
            else ""
        )
        text += f"; {sent}{TRANSFERS.get(item.transfer.status, item.transfer.status)}{credit}"
    return f"{text}."


def _audit(receipt: shapes.Receipt, tell: Teller) -> Iterator[str]:
    found = receipt.audit
    if found is not None and found.is_drawn:
        odds = found.random_bp * (1 if found.trigger == "random" else 10)
        yield (
            f"The claim was drawn for audit ({found.trigger}): its number {found.number} is below {min(10_000, odds)}"
            " of 10000 (§9)."
        )
    for item in receipt.happenings:
        words = {
            "hold_placed": "a hold was placed: payment waits",
            "hold_lifted": "the hold was lifted",
            "fraud_found": "fraud was found",
        }[item.event]
        owed = (
            "" if item.owed_back_cents is None else f"; {tell.money(item.owed_back_cents)} that was paid is owed back"
        )
        yield f"Block {item.height}: {words}{f' ({item.trigger})' if item.trigger else ''}{owed} (§9)."


# ---- Proposals, renewals, premiums ------------------------------------------------
def explain_proposal(receipt: other_shapes.ProposalReceipt, of_bytes: Callable[[bytes], str]) -> Iterator[str]:
    """Yield a proposal's receipt, sentence by sentence."""
    tell = Teller("", 0, of_bytes)
    body = receipt.body
    about = body.name or tell.name(body.member or body.key)
    value = f" = {body.value}" if body.what == "param" else ""
    critical = " It is critical: two thirds, and a term more of notice." if receipt.is_critical else ""
    yield (
        f"Proposal {tell.name(receipt.proposal)}, {body.what} {body.change + ' ' if body.change else ''}{about}{value}:"
        f" {receipt.status}.{critical}"
    )
    if receipt.sponsors:
        yield (
            f"§12 sponsors: {len(receipt.sponsors)} of max({receipt.sponsor_min}, {receipt.voters} voters /"
            f" {receipt.sponsor_div} rounded up) = {receipt.sponsors_needed}."
        )
    if receipt.opened_height is None:
        yield f"{receipt.sponsors_needed - len(receipt.sponsors)} more signatures open the vote."
        return
    last = receipt.opened_height + receipt.proposal_blocks
    yield (
        f"It opened in block {receipt.opened_height} with {receipt.eligible} voters; votes count in blocks"
        f" {receipt.opened_height + 1} to {last}, and min({receipt.turnout_max}, {receipt.eligible} /"
        f" {receipt.turnout_div} rounded up) = {receipt.turnout_needed} are needed, abstentions included."
    )
    yield f"{receipt.yes} yes, {receipt.no} no, {receipt.abstain} abstained; the last vote of each member counts."
    if receipt.judged_height is not None:
        yield (
            f"§12 {'passed' if receipt.passes else 'failed'} at the end of block {receipt.judged_height}:"
            f" {receipt.reason}."
        )
    if receipt.effective_height is not None:
        done = {"in_force": "it took effect", "void": f"it was void: {receipt.void_reason}"}.get(
            receipt.status, "it takes effect"
        )
        yield f"At the end of block {receipt.effective_height} {done}."


def explain_member(receipt: other_shapes.MemberReceipt, of_bytes: Callable[[bytes], str]) -> Iterator[str]:
    """Yield a member's bar and renewals, sentence by sentence."""
    tell = Teller("", 0, of_bytes)
    yield f"Member {tell.name(receipt.member)} as of block {receipt.height}, as if a claim were carried now."
    yield _bar(receipt.bar, is_open=False)
    if not receipt.renewals:
        yield "No renewal was judged yet: the first boundary that judges is block 360 (§7)."
    said = "none"
    for item in receipt.renewals:
        if item is not receipt.renewals[-1] and item.outcome == "none" and said == "none":
            continue
        said = item.outcome
        words = {
            "none": "nothing changed",
            "warned": f"warned; a refusal now would end cover with block {max(item.last_block, item.height + 30)}",
            "refused": f"refused: cover ends with block {item.until}",
            "cleared": "the refusal was cleared",
            "ended": "judged once more: cover ended",
        }[item.outcome]
        yield f"§7 renewal at block {item.height}: {words}. {item.reason}."


def explain_premium(receipt: other_shapes.PremiumReceipt, of_bytes: Callable[[bytes], str]) -> Iterator[str]:
    """Yield a plan's re-ratings, sentence by sentence."""
    tell = Teller(receipt.currency, receipt.exponent, of_bytes)
    times = len(receipt.reratings)
    yield (
        f"Plan {receipt.plan}: {times} {'boundary' if times == 1 else 'boundaries'} re-rated it up to block"
        f" {receipt.height}."
    )
    for item in receipt.reratings:
        pairs = (
            f"{sum(row.weight_bp for row in item.terms) / 10_000:g} contract terms with {tell.money(item.cost_cents)}"
            " of benefits"
        )
        yield (
            f"§11 block {item.height}: {tell.money(item.old_cents)} became {tell.money(item.new_cents)}, from {pairs}."
            f" {item.reason}."
        )
