"""A claim's receipt in plain sentences for its member: what was decided, by which rule, with every figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from governance.receipts import shapes

REFUSALS = {
    1: "there was no cover on that day",
    2: "the day is in the waiting period of a first contract",
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
    "queued": "partly sent; the rest waits for the next batch",
    "batched": "in a batch that the signers send",
    "confirmed": "confirmed on the chain",
}
AUDIT_EVENTS = {
    "hold_placed": "a hold was placed: payment waits",
    "hold_lifted": "the hold was lifted",
    "fraud_found": "fraud was found",
}
UNDECIDED = {
    "open": "is being voted on",
    "denied": "was denied by vote",
    "lapsed": "lapsed without a decision",
    "withdrawn": "was withdrawn",
    "cancelled": "was cancelled by a finding of fraud",
    "accepted": "is authorised",
}
"""What became of a line that no settlement shows, by the status of its case."""
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
class ReceiptFormatter:
    """How one receipt is written: its currency, and how keys and ids are shown."""

    currency: str
    exponent: int
    of_bytes: Callable[[bytes], str]

    def money(self, cents: int) -> str:
        """Return minor units for people.

        >>> ReceiptFormatter("USD", 2, bytes.hex).money(123456), ReceiptFormatter("XAF", 0, bytes.hex).money(5000)
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
    show = ReceiptFormatter(receipt.currency, receipt.exponent, of_bytes)
    yield from _filing(receipt, show)
    settled = {item.line: item for item in (*receipt.settlements, *receipt.estimates)}
    for line in receipt.lines:
        yield from _line(receipt, line, settled.get(line.line), show)
    for case in receipt.cases:
        yield from _case(receipt, case, show)
    for payout in receipt.payouts:
        yield from _payout(receipt, payout, show)
    yield from _audit(receipt, show)


def _filing(receipt: shapes.Receipt, show: ReceiptFormatter) -> Iterator[str]:
    charged = sum(line.charge_cents for line in receipt.lines)
    benefit = sum(item.benefit_cents for item in receipt.settlements)
    opened = [case.code for case in receipt.cases if case.status == "open"]
    state = f"The vote on {', '.join(opened)} is under way" if opened else "Everything in it is decided"
    yield (
        f"Claim {show.name(receipt.claim)} was filed in block {receipt.filed_height} for {show.money(charged)}."
        f" {state}; the benefit so far is {show.money(benefit)}, paid to the {receipt.payee}."
    )
    if receipt.use == "preauth":
        yield (
            "It is a pre-authorisation: nothing is paid for it and nothing is used up; cover, plan, limits and ceilings"
            " will be those of the day (§5)."
        )
    if receipt.other_payer_cents:
        yield (
            f"Another payer's {show.money(receipt.other_payer_cents)} is taken from the charges first, in the order of"
            " settlement (§5)."
        )
    for item in receipt.evidence[1:]:
        yield (
            f"New evidence came in block {item.height}: version {item.version}, {counted(item.documents, 'document')}"
            " in all (§6)."
        )


# ---- Lines ------------------------------------------------------------------
def _line(
    receipt: shapes.Receipt, line: shapes.FiledLine, settled: shapes.Settlement | None, show: ReceiptFormatter
) -> Iterator[str]:
    name = f"Line {line.line + 1}, {line.units} × {line.code} of day {line.first_day}, {show.money(line.charge_cents)}"
    if line.refusal is not None:
        yield (
            f"{name}: refused in the carrying block, reason {line.refusal}: {REFUSALS[line.refusal]}."
            f" {_refused(receipt, line)} (§5)"
        )
        return
    if settled is None:
        case = next(case for case in receipt.cases if line.line in case.lines)
        yield f"{name}: {UNDECIDED.get(case.status, case.status)}."
        return
    if settled.refusal is not None:
        yield (
            f"{name}: refused in settlement, reason {settled.refusal}: {REFUSALS[settled.refusal]}."
            f" {_refused_late(settled, show)} (§5)"
        )
        return
    asked = "needs no pre-authorisation; a claim of it would be " if receipt.use == "preauth" else ""
    yield f"{name}: {asked}{_summary(settled, show)}"
    yield from (f"  {text}" for text in _steps(settled, show))


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


def _refused_late(item: shapes.Settlement, show: ReceiptFormatter) -> str:
    if item.refusal == 7:
        return (
            f"Of the other payer {show.money(item.other_payer_before_cents)} was left, the charge is"
            f" {show.money(item.charge_cents)}."
        )
    return f"The limit is {item.frequency} for the benefit year, {item.units_before} were settled before."


def _summary(item: shapes.Settlement, show: ReceiptFormatter) -> str:
    kind = "standard" if item.award_before_cents is None else "pre-authorised"
    if item.case is not None:
        kind = f"by {item.how}"
    parts = (
        (item.deductible_cents, "goes to your deductible"),
        (item.copay_cents, "is your copay"),
        (item.coinsurance_cents, "is your coinsurance"),
    )
    borne = [f"{show.money(cents)} {words}" for cents, words in parts if cents]
    text = (
        f"settled in block {item.height} ({kind}, plan {item.plan}). Of the charge {show.money(item.allowed_cents)} is"
        " allowed"
    )
    if item.units_paid != item.units:
        text += f" for {item.units_paid} of {item.units} units"
    text += "; " + (", ".join(borne) if borne else "you pay nothing yourself")
    if item.relief_cents:
        text += f"; {show.money(item.relief_cents)} is relieved, because you have reached your plan's yearly maximum"
    if item.cut_cents:
        text += f"; {show.money(item.cut_cents)} is cut by a ceiling"
    borne_cents = (item.deductible_cents, item.copay_cents, item.coinsurance_cents)
    total = (item.allowed_cents, *borne_cents, item.relief_cents, item.benefit_cents, item.cut_cents)
    figures = "{} = {} + {} + {} − {} + {} + {}".format(*(show.bare(cents) for cents in total))
    return (
        f"{text}. The co-op pays {show.money(item.benefit_cents)}. "
        f"(allowed = deductible + copay + coinsurance − relief + benefit + cut: {figures})"
    )


def _steps(item: shapes.Settlement, show: ReceiptFormatter) -> Iterator[str]:
    """Yield the steps of §5 with what each had before and leaves after."""
    if item.frequency is not None:
        yield (
            f"§5.1 units: the limit is {item.frequency} in benefit year {item.benefit_year + 1}, {item.units_before}"
            f" were settled before: {item.units_paid} of {item.units} here, {item.units_left} left."
        )
    bounds = [
        f"the charge less the other payer's share, {show.bare(item.charge_cents)} − {show.bare(item.other_payer_cents)}"
    ]
    if item.allowed_amount_cents is not None:
        bounds.append(f"the allowed amount, {item.units_paid} × {show.bare(item.allowed_amount_cents)}")
    if item.award_before_cents is not None:
        bounds.append(f"what is left of the award, {show.bare(item.award_before_cents)}")
    yield f"§5.2 allowed: the least of {'; '.join(bounds)}: {show.bare(item.allowed_cents)}."
    if item.deductible_plan_cents:
        yield (
            f"§5.3 deductible: {show.bare(item.deductible_plan_cents)} a year,"
            f" {show.bare(item.deductible_before_cents)} borne before: {show.bare(item.deductible_cents)} here,"
            f" {show.bare(item.deductible_left_cents)} left."
        )
    if item.copay_plan_cents:
        taken = "taken by an earlier line" if item.is_copay_taken else f"{show.bare(item.copay_cents)} here"
        yield f"§5.4 copay: {show.bare(item.copay_plan_cents)} a claim: {taken}."
    if item.coinsurance_bp:
        rest = item.allowed_cents - item.deductible_cents - item.copay_cents
        yield (
            f"§5.5 coinsurance: {percent(item.coinsurance_bp)} of {show.bare(rest)}, rounded up:"
            f" {show.bare(item.coinsurance_cents)}."
        )
    if item.oop_max_cents is not None and item.oop_left_cents is not None:
        yield (
            f"§5.6 maximum: you bear at most {show.bare(item.oop_max_cents)} a year,"
            f" {show.bare(item.borne_before_cents)} borne before: relief of {show.bare(item.relief_cents)},"
            f" {show.bare(item.oop_left_cents)} left to bear."
        )
    for ceiling in item.ceilings:
        yield (
            f"§5.7 ceiling for {CEILINGS[ceiling.name]}: {show.bare(ceiling.limit_cents)},"
            f" {show.bare(ceiling.used_cents)} used before, {show.bare(ceiling.left_cents)} left."
        )


# ---- Cases --------------------------------------------------------------------
def _case(receipt: shapes.Receipt, case: shapes.Case, show: ReceiptFormatter) -> Iterator[str]:
    again = ", filed a second time" if case.is_second else ""
    yield f"Case {case.code}, {show.money(case.charges_cents)}{again}: {_outcome(receipt, case, show)}"
    if case.bar is None:
        return
    out = ", ".join(f"{item.voters} {item.reason}" for item in case.excluded if item.voters)
    yield (
        f"  §6 who votes: {counted(case.voters, 'voter')} at the end of block"
        f" {case.s}{f', without {out}' if out else ''}: electorate of {case.eligible}. Quorum"
        f" {counted(case.quorum, 'ballot')}, {case.opened_needed} of them with the evidence opened."
    )
    yield f"  {threshold_words(case.bar, is_open=case.status == 'open')}"
    yield from (f"  {text}" for text in _votes(case))
    for item in case.decisions:
        yield f"  {item.rule} {item.outcome} in block {item.height}: {item.reason}."
        if item.award_cents is not None:
            awards = ", ".join(show.bare(cents) for cents in item.awards)
            median = f", the lower median of {awards}" if awards else ""
            benefit = show.money(item.benefit_cents)
            yield f"  The award is {show.money(item.award_cents)}{median}; the benefit {benefit}."
    if case.appeal is not None:
        yield f"  {_appeal(case.appeal)}"
    if case.authorisation is not None:
        item = case.authorisation
        yield (
            f"  §5 authorised: {item.units} × {case.code} by this provider, up to {show.money(item.award_cents)}, for"
            f" days {item.first_day} to {item.last_day}: a claim line that fits in it needs no vote."
        )


def _outcome(receipt: shapes.Receipt, case: shapes.Case, show: ReceiptFormatter) -> str:
    """Return the status of a case, and what the member can do now."""
    last = case.tallies[-1] if case.tallies else None
    closes = case.s + case.params.vote_blocks
    tally = "no ballot yet"
    if last is not None:
        voters = f"{case.eligible} members who may vote"
        tally = f"{last.yes} yes and {last.no} no of {voters}, {last.opened} of them with the evidence opened"
    if case.status == "open":
        share = f" ({100 * last.yes // (last.yes + last.no)} % yes)" if last is not None and last.yes + last.no else ""
        run = 0 if last is None else last.streak
        return (
            f"open until block {closes}, {counted(max(0, closes - receipt.height), 'block')} left. So far"
            f" {tally}{share}; {run} of {case.params.streak_blocks} passing blocks in a row."
        )
    done = case.decisions[-1]
    if case.status == "denied":
        until = done.height + case.params.appeal_within
        can = f"; you may appeal until block {until}" if case.appeal is None and receipt.height < until else ""
        return f"denied in block {done.height} with {tally}{can}."
    if case.status == "lapsed":
        again = "" if case.is_second else "; it may be filed again once, free"
        return f"lapsed in block {done.height} with {tally}{again}."
    if case.status == "accepted":
        ways = {
            "small": "settled in full as a small claim",
            "lapse": "settled after a second lapse",
            "appeal": "accepted on appeal",
        }
        if case.appeal is not None:
            tally = f"{case.appeal.yes} yes and {case.appeal.no} no of a panel of {len(case.appeal.panel.members)}"
        award = ""
        if done.award_cents is not None:
            award = f"; the award is {show.money(done.award_cents)}, the benefit {show.money(done.benefit_cents)}"
        return f"{ways.get(done.how or '', 'accepted by vote')} in block {done.height} with {tally}{award}."
    return f"{case.status} in block {done.height}."


def threshold_words(bar: shapes.Bar, *, is_open: bool) -> str:
    """Return how the approval threshold came about; seniority is shown once the vote is over (rules §7)."""
    record = f"{counted(bar.denied, 'denial')} among {counted(bar.voted, 'counted ballot')}"
    row = f"100·{bar.denied} = {100 * bar.denied} ≥ {bar.row_percent}·{bar.sample} = {bar.row_percent * bar.sample}"
    text = f"§7 your approval threshold: {record} in terms {bar.first_term} to {bar.last_term}; {row}"
    seniority = f"less seniority of {percent(bar.seniority_bp)} for {counted(bar.years, 'full year')}"
    less = "" if is_open else f", {seniority}: {percent(bar.need_bp)}"
    return f"{text}: {percent(bar.bar_bp)} yes is needed{less}."


def _votes(case: shapes.Case) -> Iterator[str]:
    """Yield the tally of each block in which it changed and the draw of a panel, by height; the receipt has all."""
    told: list[tuple[int, str]] = []
    before: tuple[int, int, int, int] | None = None
    for row in case.tallies:
        now = row.yes, row.no, row.abstain, row.opened
        if now != before:
            passes = "passes" if row.passes else "no quorum" if not row.has_quorum else "below the threshold"
            tally = f"{row.yes} yes, {row.no} no, {row.abstain} abstained, {row.opened} opened: {passes}."
            told.append((row.height, tally))
        before = now
    if case.panel is not None:
        drawn = len(case.panel.members)
        lacked = f"{case.lacking} of {counted(case.quorum, 'ballot')} lacked"
        told.append((case.panel.height, f"{lacked}, a duty panel of {drawn} was drawn and reminded."))
    yield from (f"block {height}: {text}" for height, text in sorted(told, key=lambda item: item[0]))


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
def _payout(receipt: shapes.Receipt, payout: shapes.Payout, show: ReceiptFormatter) -> Iterator[str]:
    if not payout.benefit_cents:
        return
    name = "the standard part" if payout.case is None else f"case {payout.case}"
    yield (
        f"Payout of {name}: {show.money(payout.benefit_cents)} accepted in block {payout.accepted_height}, due from the"
        " next block on (§11)."
    )
    for item in payout.payments:
        yield f"  block {item.height}: {_payment(item, show)}"
    if payout.cancelled_cents:
        why = "the co-op disbanded" if receipt.is_disbanded else "fraud was found"
        yield f"  {show.money(payout.cancelled_cents)} was cancelled: {why}."
    if payout.owed_cents:
        why = (
            "a hold keeps it back"
            if payout.is_on_hold
            else "it remains owed, keeps its place in the queue, and is paid when there is money and an exchange rate"
        )
        yield f"  {show.money(payout.owed_cents)} is still owed: {why}."


def _payment(item: shapes.Payment, show: ReceiptFormatter) -> str:
    """Return what one block paid, and what held it back."""
    held = f"claims held {show.bare(item.claims_cents)}, the reserve {show.bare(item.reserve_cents)}"
    text = f"{show.money(item.paid_cents)} of {show.bare(item.owed_cents)} owed"
    if item.paid_cents:
        text += f" = {item.amount_sat} satoshi at {show.bare(item.rate)} a bitcoin"
    if item.left_cents or item.is_at_ratio:
        cap = "" if item.cap_cents is None else f", of it at most {show.bare(item.cap_cents)} for one payout"
        text += f"; {held}{cap}"
        if item.is_at_ratio:
            text += (
                f"; {show.bare(item.available_cents)} against {show.bare(item.total_owed_cents)} owed to all, so all"
                " were paid at one ratio"
            )
    if item.left_cents:
        text += f"; {show.bare(item.left_cents)} left"
    if item.transfer is not None:
        text += f"; {_transfer(item.transfer)}"
    return f"{text}."


def _transfer(transfer: shapes.Transfer) -> str:
    text = TRANSFERS.get(transfer.status, transfer.status)
    if transfer.sent_sat:
        text = f"{transfer.sent_sat} satoshi of it sent in {counted(transfer.outputs, 'output')}, {text}"
    if transfer.credit_sat:
        text += f", {transfer.credit_sat} satoshi too small to send are carried forward to your next payout"
    return text


def _audit(receipt: shapes.Receipt, show: ReceiptFormatter) -> Iterator[str]:
    found = receipt.audit
    if found is not None and found.is_drawn:
        odds = found.random_bp * (1 if found.trigger == "random" else 10)
        yield (
            f"The claim was drawn for audit ({found.trigger}): its number {found.number} is below {min(10_000, odds)}"
            " of 10000 (§9)."
        )
    for item in receipt.happenings:
        owed, trigger = "", f" ({item.trigger})" if item.trigger else ""
        if item.owed_back_cents is not None:
            owed = f"; {show.money(item.owed_back_cents)} that was paid is owed back"
        yield f"Block {item.height}: {AUDIT_EVENTS[item.event]}{trigger}{owed} (§9)."
