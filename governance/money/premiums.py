"""Premiums: due at the start of a term, ten blocks of grace, suspension, payment, and the re-rating of plans.

A payment pays all that is owed, oldest first, and restores cover from its day on. On a real chain it is a bitcoin
deposit attested by the treasury's signers; the ledger holds a commitment to it, never an address.
"""

from __future__ import annotations

from governance.acts import Act, Attested, check_attested, hash_of
from governance.benefits import contracts, covers
from governance.day import Day
from governance.membership import members
from governance.money import accounts, treasury
from governance.state.contracts import CONTRACTS, OWING, UnpaidPremium
from governance.state.plans import PLAN_TERMS, PLANS, PlanRow
from governance.state.treasury import check_treasury
from governance.tables import Name
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken


# ---- Records ------------------------------------------------------------
class PremiumBody(Shape):
    """A confirmed deposit by `member`, under a commitment; m of n signers attest it in the role `deposit`."""

    member: bytes
    amount_cents: int
    """What the signers saw, in minor units: all that is owed. An attestation that was kept back pays no later premium.
    """
    commitment: bytes


DEPOSIT = Attested("deposit", hash_of("premium-deposit"), "m of n treasury signers saw the deposit", key="device")


# ---- Rules --------------------------------------------------------------
def start_term(day: Day) -> None:
    """Let the premium of every contract in force fall due (rules §3); with auto-pay it is paid as it falls due."""
    coop = day.coop
    if coop.phase == "recruit" or coop.run_off_height is not None:
        return
    for row in contracts.contracts_on(day.draft):
        if not row.is_in_force or row.first_term > day.term:
            continue
        is_prepaid = day.term < row.prepaid_until_term  # the member's own rate; dependants were not foreseen
        amount_cents = covers.rate_of(row.dependants, day.term) if is_prepaid else row.rate_cents
        if is_prepaid and amount_cents == 0:
            continue
        owed = (*row.owed, UnpaidPremium(day.height, row.plan, amount_cents))
        contracts.change(day, row.member, owed=owed)
        OWING.put(day.draft, Name(row.member), row.member)
        day.emit("premium_due", member=row.member, plan=row.plan, amount_cents=amount_cents)
        if coop.is_auto_pay:
            apply_payment(day, row.member)


def check_premium(day: Day, act: Act, body: PremiumBody) -> None:
    """Raise RuleBroken unless a premium is owed and m signers attest a new deposit of it (not in a rehearsal)."""
    owed_cents = check_payment(day, body.member)
    treasury.check_unseen(day.draft, body.commitment)
    if not day.coop.is_rehearsal:
        if body.amount_cents != owed_cents:
            what = f"the deposit is {body.amount_cents}, {owed_cents} is owed"
            raise RuleBroken("premium_amount", what, "have the signers attest one deposit of everything owed")
        if not body.commitment:
            what = "the deposit has no commitment"
            raise RuleBroken("commitment_size", what, "draft the record again: mutua treasury premium")
        box = check_treasury(day.draft)
        check_attested(act, DEPOSIT, body, box.signers, box.threshold)


def apply_premium(day: Day, _act: Act, body: PremiumBody) -> None:
    """Count the deposit and pay all that is owed with it."""
    treasury.note_seen(day.draft, body.commitment)
    apply_payment(day, body.member)


def check_payment(day: Day, member: bytes) -> int:
    """Return what the member owes, in minor units; RuleBroken when that is nothing."""
    row = CONTRACTS.find(day.draft, member)
    if row is None or not row.owed:
        what = "no premium is owed"
        raise RuleBroken("nothing_owed", what, f"the next falls due in block {calendar.first_height_of(day.term + 1)}")
    return row.owed_cents


def apply_payment(day: Day, member: bytes) -> None:
    """Pay all that is owed, oldest first, and restore cover from this day on."""
    row = CONTRACTS.get(day.draft, member)
    for owed in row.owed:
        accounts.take_premium(day, owed.amount_cents)
        accounts.note_paid(day, member, owed.amount_cents)
        day.emit("premium_paid", member=member, plan=owed.plan, amount_cents=owed.amount_cents)
    OWING.delete(day.draft, member)
    gaps = row.gaps
    if row.suspended_from is not None and row.suspended_from < day.height:
        gaps = (*gaps, (row.suspended_from, day.height - 1))
    contracts.change(day, member, owed=(), suspended_from=None, gaps=gaps)
    if row.suspended_from is not None:
        members.restore_voting_right(day, member, day.terms_over)
        day.emit("cover_resumed", member=member, plan=row.plan, amount_cents=0)


def end_day(day: Day) -> None:
    """Suspend those whose grace ends with this block (rules §3): unpaid at the end of f + grace."""
    last_due = day.height - day.params.grace_blocks
    if not calendar.is_term_start(last_due):
        return
    for name in list(OWING.scan(day.draft)):
        row = CONTRACTS.get(day.draft, name.value)
        if row.is_in_force and row.suspended_from is None and row.owed[0].due_height <= last_due:
            contracts.change(day, row.member, suspended_from=day.height + 1)
            members.set_voting_right(day, row.member, False)
            day.emit("cover_suspended", member=row.member, plan=row.plan, amount_cents=row.owed_cents)


def target_of(day: Day, plan: PlanRow, load_bp: int) -> int:
    """Return the target premium of a plan (rules §11): credibility-weighted cost, loaded for expenses and reserve."""
    set_now = day.params
    pairs_bp = cost_cents = 0
    for term in range(max(0, day.term - 11), day.term + 1):
        row = PLAN_TERMS.find(day.draft, plan.name, term)
        if row is not None:
            pairs_bp += row.weight_bp
            cost_cents += row.benefits_cents
    return compute_target_cents(
        cost_cents,
        pairs_bp,
        plan.prior_cents,
        plan.premium_cents,
        credibility_k=set_now.credibility_k,
        load_bp=load_bp,
        expense_bp=set_now.expense_bp,
    )


def compute_target_cents(
    cost_cents: int,
    pairs_bp: int,
    prior_cents: int,
    old_cents: int,
    *,
    credibility_k: int,
    load_bp: int,
    expense_bp: int,
) -> int:
    """Return a target premium from experience and prior, rounded down twice; the old premium where nothing is known.

    `pairs_bp`: a (contract, term) pair counts 10 000, one with dependants the more.

    >>> compute_target_cents(1_000_000, 240_000, 42_500, 50_000, credibility_k=0, load_bp=1_500, expense_bp=0)
    49018
    """
    weight_bp = pairs_bp + covers.FULL_BP * credibility_k
    if weight_bp == 0:
        return old_cents
    estimate = (cost_cents + credibility_k * prior_cents) * covers.FULL_BP // weight_bp
    return estimate * 10_000 // (10_000 - load_bp - expense_bp)


def clamp_premium(old_cents: int, target_cents: int) -> int:
    """Return the target within ten per cent of the old premium, rounded inwards.

    >>> clamp_premium(105, 1000), clamp_premium(105, 0)
    (115, 95)
    """
    return min(max(target_cents, -(-9 * old_cents // 10)), 11 * old_cents // 10)


def end_term(day: Day) -> None:
    """Re-rate every plan, by name."""
    load_bp = day.params.reserve_bp if accounts.is_reserve_short(day) else 0
    for plan in list(PLANS.scan(day.draft)):
        target = target_of(day, plan, load_bp)
        premium = clamp_premium(plan.premium_cents, target)
        day.emit("premium_set", plan=plan.name, old_cents=plan.premium_cents, target_cents=target, new_cents=premium)
        PLANS.put(day.draft, PlanRow(plan.name, premium, plan.prior_cents, plan.versions), plan.name)
