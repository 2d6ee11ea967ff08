"""Community schemes: the provider files for a patient who is eligible by default, and is paid (rules §5).

The founding names the schemes. In one, a claim is signed by the listed provider alone; the patient signs nothing and is
told. What protects the patient: the cover sees every such claim and may withdraw what is open; one report by the
patient holds the cover's payouts and draws an audit panel; and if that panel finds fraud, the provider owes what was
paid and may not file for patients for twelve terms, while the patient gets back what the claim had used up and bears no
consequence.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.acts import Act
from governance.day import Day
from governance.state.claims import CLAIMS, CONTESTED_CLAIMS, ClaimRow
from governance.state.providers import FILING_SUSPENDED
from governance.tables import Draft, Mark, Number
from ledger import calendar
from ledger.errors import RuleBroken

# ---- Records: `claim.file` by a provider, `audit.report` by the patient --------
BY_MEMBER, BY_PROVIDER = "member", "provider"
ROLES = (BY_MEMBER, BY_PROVIDER)
SUSPENDED_TERMS = 12


# ---- Rules --------------------------------------------------------------
def is_by_provider(claim: ClaimRow) -> bool:
    """True for a claim that the provider filed and the patient did not sign."""
    return claim.submitter_role == BY_PROVIDER


def check_filing(day: Day, act: Act, scheme: str, provider: bytes) -> None:
    """Raise RuleBroken unless a provider may file in this scheme now, and this one signed it."""
    if scheme not in day.coop.community:
        what = f"{scheme!r} is not a community scheme of this co-op"
        raise RuleBroken("scheme_closed", what, "let the patient file the claim, attested by the provider")
    if not act.author == act.signer == provider:
        what = "a claim that a provider files is signed by that provider's key"
        raise RuleBroken("provider_signature", what, "sign it with the provider's key")
    barred = FILING_SUSPENDED.find(day.draft, provider)
    if barred is not None and day.height <= barred.value:
        what = f"after a finding of fraud, this provider may not file for patients up to block {barred.value}"
        raise RuleBroken("provider_barred", what, "let the patient file the claim")


def notify_patient(day: Day, claim: ClaimRow) -> None:
    """Tell the cover that a claim was filed for it."""
    day.emit("provider_claimed", claim=claim.claim, member=claim.cover, provider=claim.provider, scheme=claim.scheme)


def is_contest(day: Day, author: bytes, target: bytes, claim_id: bytes) -> bool:
    """True when a patient reports the provider for a claim it filed for the author, for the first time."""
    claim = CLAIMS.find(day.draft, claim_id) if claim_id else None
    return (
        claim is not None
        and is_by_provider(claim)
        and author == claim.member
        and target == claim.provider
        and CONTESTED_CLAIMS.find(day.draft, claim_id) is None
    )


def note_contest(day: Day, claim_id: bytes) -> ClaimRow:
    """Remember that the patient contested the claim; return it."""
    CONTESTED_CLAIMS.put(day.draft, Mark(), claim_id)
    return CLAIMS.get(day.draft, claim_id)


def debtor_of(claim: ClaimRow) -> bytes:
    """Return who owes what fraud made a debt: who filed the claim."""
    return claim.provider if is_by_provider(claim) else claim.member


def suspend_filing(day: Day, provider: bytes) -> None:
    """Let a provider file for no patient through the next twelve terms."""
    FILING_SUSPENDED.put(day.draft, Number(calendar.last_height_of(day.term + SUSPENDED_TERMS)), provider)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft, schemes: tuple[str, ...]) -> Iterator[str]:
    """Yield a sentence for each claim of a provider outside the schemes, or paid to somebody else."""
    for claim in CLAIMS.scan(draft):
        if is_by_provider(claim) and (claim.scheme not in schemes or claim.payee != BY_PROVIDER):
            yield f"claim {claim.claim.hex()} was filed by a provider outside a community scheme"
