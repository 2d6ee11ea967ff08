"""Renewal: a member who denied nearly everything for a year is not renewed (rules §7).

Judged at every boundary from 360 on, over the twelve terms that end there. A refusal gives notice to the end of the
contract, at least a term; it is judged once more there, and cleared when the condition fails before. A warning comes
once.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from governance.benefits import contracts
from governance.day import Day
from governance.state.contracts import ContractRow
from governance.state.members import MEMBERS
from governance.voting import approval_threshold
from ledger import calendar

# ---- State: `is_warned` and `until` of the member's row -------------------
FIRST_BOUNDARY = calendar.YEAR_BLOCKS


# ---- Rules --------------------------------------------------------------
def end_term(day: Day) -> None:
    """Judge every member with a contract; linear in present members."""
    if day.height < FIRST_BOUNDARY:
        return
    set_now = day.params
    for contract in contracts.contracts_on(day.draft):
        row = MEMBERS.get(day.draft, contract.member)
        if not row.is_member or not contract.is_in_force:
            continue
        denied, voted, terms = approval_threshold.record_over_terms(
            day.draft, row.key, range(day.term - 11, day.term + 1)
        )
        counts = voted >= set_now.renewal_min and terms >= set_now.renewal_terms
        is_refusable = counts and 100 * denied >= set_now.renewal_pct * voted
        is_warnable = counts and 100 * denied >= set_now.warning_pct * voted
        is_below = voted == 0 or 100 * denied < set_now.warning_pct * voted
        until = row.until
        if until is not None:
            if not is_refusable:
                _clear(day, contract, denied, voted, until)
            elif day.height >= until:
                contracts.end_contract(day, row.key)
                continue
        elif is_refusable:
            until = max(calendar.last_height_of(contract.last_term), day.height + calendar.TERM_BLOCKS)
            _change(day, row.key, until=until)
            day.emit("renewal_refused", member=row.key, denied=denied, voted=voted, until=until)
        if is_warnable and not is_refusable and not row.is_warned:
            notice = max(calendar.last_height_of(contract.last_term), day.height + calendar.TERM_BLOCKS)
            _change(day, row.key, is_warned=True)
            day.emit("renewal_warned", member=row.key, denied=denied, voted=voted, until=notice)
        elif is_below and row.is_warned:
            _change(day, row.key, is_warned=False)


def _clear(day: Day, contract: ContractRow, denied: int, voted: int, until: int) -> None:
    """Take a refusal back; a contract that has run out goes on with the next term."""
    _change(day, contract.member, until=None)
    day.emit("renewal_cleared", member=contract.member, denied=denied, voted=voted, until=until)
    if contract.last_term <= day.term:
        contracts.roll_over(day, contract)


def _change(day: Day, key: bytes, **fields: Any) -> None:
    MEMBERS.put(day.draft, replace(MEMBERS.get(day.draft, key), **fields), key)
