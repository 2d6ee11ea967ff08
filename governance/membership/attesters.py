"""Parties that members trust to answer one question (rules §2, §12).

Enrolment attesters answer: is this person not a member yet? Provider verifiers answer: may this one treat people?
The charter names the first of them, proposals the others. While fewer attesters are listed than an application needs,
the treasury's signers stand in for them: so admission never hangs on a list that a vote has just shortened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from governance.day import Day
from governance.state.attesters import ATTESTERS, VERIFIERS, PartyRow
from governance.state.treasury import check_treasury
from governance.tables import Draft, Table

# ---- Rules --------------------------------------------------------------
PARTIES_MAX = 1_000
"""Parties on one list; a proposal that would add another takes no effect."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The signatures that an application needs now: how many, and from which keys."""

    keys: tuple[bytes, ...]
    needed: int
    is_by_signers: bool
    """True while the treasury's signers stand in, because too few attesters are listed."""


def enrolment_now(day: Day) -> Enrolment:
    """Return who attests enrolments now; RuleBroken when there are neither attesters nor signers."""
    needed = day.params.enrolment_attesters
    listed = tuple(row.key for row in ATTESTERS.scan(day.draft))
    if len(listed) >= needed:
        return Enrolment(listed, needed, is_by_signers=False)
    return Enrolment(check_treasury(day.draft).signers, needed, is_by_signers=True)


def keys_of(draft: Draft, parties: Table[PartyRow]) -> list[bytes]:
    """Return the keys of a list, in their order."""
    return [row.key for row in parties.scan(draft)]


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each list that grew beyond its bound."""
    for parties in (ATTESTERS, VERIFIERS):
        count = sum(1 for _ in parties.scan(draft))
        if count > PARTIES_MAX:
            yield f"{parties.name} lists {count} parties, more than {PARTIES_MAX}"
