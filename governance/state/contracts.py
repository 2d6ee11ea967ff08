"""Contracts, with what is owed and the days that each covered."""

from __future__ import annotations

from governance.state.covers import DependantShare
from governance.tables import Draft, Name, Table
from ledger.codec import Shape


class UnpaidPremium(Shape):
    """A premium that fell due and is not paid."""

    due_height: int
    plan: str
    amount_cents: int


class CoverSpan(Shape):
    """Days with the figures of `plan`, paid for under a contract of `contract_plan`; open while `last_day` is None."""

    first_day: int
    last_day: int | None
    plan: str
    contract_plan: str


class ContractRow(Shape):
    """A member's contract now, or the last one, with what is owed and the days it covered."""

    member: bytes
    plan: str
    first_term: int
    length_terms: int
    rate_cents: int
    """The plan's rate and the shares of dependants."""
    next_plan: str | None = None
    next_length: int = 1
    is_in_force: bool = True
    prepaid_until_term: int = 0
    """Premiums of earlier terms are inside the genesis accounts: they do not fall due."""
    owed: tuple[UnpaidPremium, ...] = ()
    suspended_from: int | None = None
    gaps: tuple[tuple[int, int], ...] = ()
    spans: tuple[CoverSpan, ...] = ()
    waiting_first_day: int = 0
    waiting_last_day: int = 0
    """Days first..last are the waiting of a first contract; last is 0 where there is none."""
    benefit_start: int = 0
    """First height of the first contract: benefit years are counted from it."""
    dependants: tuple[DependantShare, ...] = ()
    """Covers of dependants: to come, on the contract, and ended in the last twelve terms."""

    @property
    def last_term(self) -> int:
        """The last term whose rate is guaranteed."""
        return self.first_term + self.length_terms - 1

    @property
    def owed_cents(self) -> int:
        """Everything owed."""
        return sum(item.amount_cents for item in self.owed)


CONTRACTS = Table("benefits/contract", ContractRow)
CONTRACTS_ON = Table("benefits/contract_on", Name)
"""Members whose contract is in force, to come, or held back: a boundary visits these, and nobody who left."""
OWING = Table("benefits/owing", Name)
"""Members who owe a premium: the end of grace and the boundary visit these alone."""


def is_suspended(draft: Draft, member: bytes) -> bool:
    """True while premium is owed beyond the days of grace."""
    row = CONTRACTS.find(draft, member)
    return row is not None and row.suspended_from is not None
