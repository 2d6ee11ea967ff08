"""What can be taken back and what cannot, for each kind of record: where nobody can be asked, the latter need --yes.

Every kind of record stands in one of the two tables, so a new kind is judged before it has a command.
"""

from __future__ import annotations

CANNOT_UNDO: dict[str, str] = {
    "audit.finding": "a panel's finding stands",
    "audit.report": "a report stays on the ledger, and the same party can be reported again only after twelve terms",
    "bundle.attest": "a signature that is passed on counts",
    "case.appeal": "a case is appealed once",
    "case.ballot": "a ballot can be changed once for each version of the evidence, and its reason stays readable",
    "claim.evidence": "what was added to a claim stays with it",
    "claim.withdraw": "the votes on withdrawn cases are lost",
    "cover.add": "a dependant's share of the next premium is owed",
    "cover.end": "a cover that ends cannot be insured again",
    "device.revoke": "a revoked device can never be certified again",
    "identity.move": "the old key signs nothing any more",
    "identity.object": "the guardians have to begin the move anew",
    "member.apply": "the deposit and the civil identity are bound to this application",
    "member.leave": "notice cannot be withdrawn",
    "member.object": "an objection cannot be withdrawn, and its reason stays readable",
    "member.vouch": "you never vote on the claims of somebody for whom you vouched",
    "member.withdraw": "an application that is withdrawn has to be made anew",
    "premium.paid": "a deposit counts once",
    "proposal.open": "a proposal cannot be withdrawn",
    "proposal.sponsor": "a sponsor cannot step back",
    "treasury.batch": "bitcoin that is sent does not come back",
    "treasury.confirm": "what the signers confirmed is paid",
}
"""Why it stands. `bundle.attest` is no record but a signature on somebody else's."""

UNDONE_BY: dict[str, str] = {
    "case.auto_ballot": "mutua vote cast",
    "case.opened": "it says only what this node did",
    "claim.file": "mutua claim withdraw, or submit with --supersedes",
    "device.certify": "mutua keys device revoke",
    "guardians.set": "mutua keys guardians set",
    "plan.change": "mutua plan change",
    "proposal.vote": "mutua proposal vote: the last one counts",
    "provider.list": "mutua proposal open provider",
    "rate.quote": "mutua treasury quote: the next block takes the newest",
    "vote.delegate": "mutua vote undelegate",
    "vote.undelegate": "mutua vote delegate",
}
"""How it is taken back or replaced."""
