"""What must be true after every block, whatever the records were. A broken one is ours: stop, keep the evidence."""

from __future__ import annotations

from governance import params, protocol
from governance.benefits import codes, community, contracts, plans, preauthorisation, settlement
from governance.membership import attesters, guardians, identity, members
from governance.money import accounts, deposits, payouts, treasury
from governance.state.coop import COOP, COUNTS
from governance.tables import Draft
from governance.voting import appeals, audits, cases, proposals
from ledger.state import StateReader


def all_broken_invariants(state: StateReader) -> list[str]:
    """Return a sentence for every invariant that does not hold; none when all is well. Linear in the state."""
    draft = Draft(state)
    counts = COUNTS.get(draft)
    return [
        *protocol.broken_invariants(draft),
        *params.broken_invariants(draft),
        *accounts.broken_invariants(draft),
        *members.broken_invariants(draft, counts.voters),
        *attesters.broken_invariants(draft),
        *guardians.broken_invariants(draft),
        *identity.broken_invariants(draft),
        *plans.broken_invariants(draft),
        *codes.broken_invariants(draft),
        *contracts.broken_invariants(draft, counts.rates_cents),
        *settlement.broken_invariants(draft),
        *preauthorisation.broken_invariants(draft),
        *community.broken_invariants(draft, COOP.get(draft).community),
        *cases.broken_invariants(draft, counts.open_cases),
        *appeals.broken_invariants(draft),
        *audits.broken_invariants(draft),
        *proposals.broken_invariants(draft),
        *deposits.broken_invariants(draft),
        *payouts.broken_invariants(draft),
        *treasury.broken_invariants(draft),
    ]
