"""Solvency at the end of a term: a thin reserve stops admissions; insolvency leads to run-off (rules §11)."""

from __future__ import annotations

from governance.benefits import contracts
from governance.day import Day
from governance.money import accounts, payouts, rates
from governance.state.accounts import PREMIUMS_PAID
from governance.state.appeals import OPEN_APPEALS
from governance.state.cases import OPEN_CASES
from governance.state.members import MEMBERS
from governance.state.payouts import PAYOUTS
from ledger import calendar

# ---- Rules --------------------------------------------------------------
FIRST_STOP_HEIGHT = 90
"""Before it the reserve is still being filled."""


def end_term(day: Day) -> None:
    """Judge the reserve and what is owed at a boundary."""
    coop = day.coop
    if coop.is_disbanded:
        return
    if coop.run_off_height is not None:
        _end_run_off(day, coop.run_off_height)
        return
    reserve = accounts.balance_of(day.draft, "reserve")
    set_now = day.params
    is_thin = day.height >= FIRST_STOP_HEIGHT and reserve * 10_000 < accounts.annual_premium_of(day) * set_now.stop_bp
    if is_thin != coop.is_admission_stopped:
        day.set_coop(is_admission_stopped=is_thin)
        day.emit("admission_stopped", **{"from": not is_thin, "to": is_thin})
    is_short = accounts.balance_of(day.draft, "claims") + reserve < payouts.owed_total(day.draft)
    short = coop.short_boundaries + 1 if is_short else 0
    day.set_coop(short_boundaries=short)
    if short >= set_now.run_off_terms:
        day.set_coop(run_off_height=day.height)
        day.emit("run_off", **{"from": False, "to": True})
    for row in list(PREMIUMS_PAID.scan(day.draft, day.term - 11)):
        PREMIUMS_PAID.delete(day.draft, day.term - 11, row.member)


def _end_run_off(day: Day, run_off_height: int) -> None:
    """Pay all debts at one ratio without the cap, cancel the rest, share what is left, and disband."""
    if day.height < run_off_height + calendar.TERM_BLOCKS * day.params.filing_terms:
        return
    if any(True for _ in OPEN_CASES.scan(day.draft)) or any(True for _ in OPEN_APPEALS.scan(day.draft)):
        return
    rate = rates.rate_now(day)
    queue = [row for row in PAYOUTS.scan(day.draft) if row.rank != payouts.REFUND]
    if rate is None:
        return
    total = sum(row.owed_cents for row in queue)
    available = accounts.balance_of(day.draft, "claims") + accounts.balance_of(day.draft, "reserve")
    for row in queue:
        amount = row.owed_cents if available >= total else row.owed_cents * available // total
        payouts.pay(day, row, min(amount, payouts.payable_cents(rate)), rate, is_final=True)
    day.set_coop(is_disbanded=True)
    day.emit("disbanded", **{"from": False, "to": True})
    for row in contracts.contracts_on(day.draft):
        if row.is_in_force:
            contracts.end_contract(day, row.member)
    _share_rest(day, rate)


def _share_rest(day: Day, rate: int) -> None:
    """Give what is left back by one ratio of the premiums paid in the last twelve terms, rounded down."""
    paid: dict[bytes, int] = {}
    for term in range(day.term - 11, day.term + 1):
        for row in PREMIUMS_PAID.scan(day.draft, term):
            paid[row.member] = paid.get(row.member, 0) + row.amount_cents
    left = accounts.balance_of(day.draft, "claims") + accounts.balance_of(day.draft, "reserve")
    total = sum(paid.values())
    for key, premiums_cents in sorted(paid.items()) if total else ():
        amount = min(left * premiums_cents // total, payouts.payable_cents(rate))
        if amount:
            cover = MEMBERS.get(day.draft, key).cover
            accounts.pay_out(day, amount)
            payouts.send(day, b"refund/" + cover, None, payee=cover, cents=amount, rate=rate, commitment=b"", of=None)
