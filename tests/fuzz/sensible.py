"""Bodies that pass their first checks.

Taken from the state, so that records of every kind reach the depth of their rules.
"""

from __future__ import annotations

import msgspec

from governance.filing.claims import ClaimLine
from governance.membership import guardians
from governance.state.appeals import OPEN_APPEALS
from governance.state.applications import APPLICATIONS
from governance.state.cases import CASES, OPEN_CASES
from governance.state.claims import CLAIMS
from governance.state.contracts import CONTRACTS, OWING
from governance.state.covers import DEPENDANTS
from governance.state.keys import IDENTITY_MOVES
from governance.state.proposals import PROPOSALS
from governance.state.treasury import PAYMENTS, TREASURY, UNSENT_PAYMENTS, BatchPayout
from governance.tables import Draft
from governance.voting import ballots

from .bodies import body_of


def sensible(fuzz, kind: str, body, author: bytes):
    """Return the body and its author, mostly such that the state knows what the body names."""
    make = MAKERS.get(kind)
    if make is None or fuzz.r.random() > 0.88:
        return body, author
    return make(fuzz, Draft(fuzz.state), kind, body, author) or (body, author)


def put(body, **fields):
    return msgspec.structs.replace(body, **fields)


def a_claim(fuzz, draft, kind, body, author):
    r = fuzz.r
    owned = [row.cover for row in DEPENDANTS.scan(draft) if row.member == author] if r.random() < 0.3 else []
    cover = r.choice(owned) if owned else fuzz.covers[author] if r.random() < 0.97 else author
    is_question = r.random() < 0.15
    lines = tuple(
        put(
            line,
            last_day=line.first_day if r.random() < 0.9 else line.last_day,
            system="",
            first_day=line.first_day if not is_question else fuzz.height + r.randrange(40),
            units=max(1, line.units),
            charge_cents=(
                line.charge_cents if r.random() < 0.3 else r.choice([1, 5000, 30_000, 10**12 if fuzz.is_wild else 7])
            ),
        )
        for line in body.lines[:4] or (body_of(r, ClaimLine, fuzz.names, fuzz.height),)
    )
    if is_question:
        lines = tuple(put(line, last_day=line.first_day) for line in lines)
    body = put(
        body,
        cover_id=cover,
        lines=lines,
        supersedes=b"" if r.random() < 0.9 else body.supersedes,
        use="preauth" if is_question else "claim" if r.random() < 0.95 else body.use,
        event_id=body.event_id[:32],
        source_hash=body.source_hash[:32],
        payout_commitment=b"",
        evidence=body.evidence[:3],
        scheme="coop",
        submitter_role="member" if r.random() < 0.9 else "provider",
        other_payer_cents=0 if r.random() < 0.7 else body.other_payer_cents,
    )
    return body, body.provider_id if body.submitter_role == "provider" else cover


def of_a_claim(fuzz, draft, kind, body, author):
    """Withdraw, or add evidence to, an own claim with an open case."""
    found = [CLAIMS.get(draft, key.claim) for key in OPEN_CASES.scan(draft)]
    if not found:
        return None
    claim = fuzz.r.choice(found)
    body = put(body, claim=claim.claim)
    return (put(body, evidence=body.evidence[:2]) if kind == "claim.evidence" else body), fuzz.r.choice(
        [claim.member, claim.cover]
    )


def on_a_case(fuzz, draft, kind, body, author):
    """Name a case that is there, mostly an open one; an appeal comes from its claimant."""
    r = fuzz.r
    found = [case for case in CASES.scan(draft) if case.status == ("denied" if kind == "case.appeal" else "open")]
    if kind != "case.appeal" and r.random() < 0.2:
        found = [CASES.get(draft, key.claim, key.code) for key in OPEN_APPEALS.scan(draft)] or found
    if not found:
        return None
    case = r.choice(found)
    body = put(body, claim=case.claim)
    if "code" in body.__struct_fields__:
        body = put(body, code=case.code)
    claim = CLAIMS.get(draft, case.claim)
    if kind == "case.appeal":
        author = claim.member if r.random() < 0.5 else claim.cover
    if kind == "case.ballot" and r.random() < 0.9:
        paper = claim.evidence[0].hash if claim.evidence else fuzz.names.blobs["hash"][0]
        body = put(
            body,
            choice=r.choice(ballots.CHOICES) if r.random() < 0.97 else body.choice,
            opened=r.choice([paper, b"", body.opened]),
            reason=body.reason[:280],
            award_cents=body.award_cents if r.random() < 0.5 else None,
            evidence_version=claim.evidence_version,
        )
    return body, author


def on_a_proposal(fuzz, draft, kind, body, author):
    wanted = "gathering" if kind == "proposal.sponsor" else "open"
    found = [row.proposal for row in PROPOSALS.scan(draft) if row.status == wanted]
    return (put(body, proposal=fuzz.r.choice(found)), author) if found else None


def a_batch(fuzz, draft, kind, body, author):
    """Return a batch that adds up: only then its sums are looked at."""
    r = fuzz.r
    box = TREASURY.find(draft)
    waiting = [PAYMENTS.get(draft, name.value) for name in UNSENT_PAYMENTS.scan(draft)]
    if box is None or not waiting:
        return None
    items = []
    left = box.outpoint_sat
    for payment in r.sample(waiting, min(len(waiting), r.choice([1, 2, 3]))):
        paid = min(payment.left_sat, left) if r.random() < 0.6 else r.randrange(min(payment.left_sat, left) + 1)
        left -= paid
        queued = payment.left_sat - paid
        credit = 0 if r.random() < 0.7 else queued
        items.append(
            BatchPayout(payment.payment_id, paid, queued - credit, credit, r.choice([0, 1, 4, 10_000, 2**63 - 1]))
        )
    fee = min(left, r.choice([0, 1, 500]))
    body = put(
        body,
        baton_txid=box.outpoint_txid,
        baton_vout=box.outpoint_vout,
        unsigned_txid=r.randbytes(32),
        payouts=tuple(items),
        fee_sat=fee,
        change_sat=left - fee,
    )
    return body, author


def a_premium(fuzz, draft, kind, body, author):
    owing = [name.value for name in OWING.scan(draft)]
    if not owing:
        return None
    member = fuzz.r.choice(owing)
    return (
        put(
            body,
            member=member,
            amount_cents=CONTRACTS.get(draft, member).owed_cents,
            commitment=fuzz.r.randbytes(32),
        ),
        author,
    )


def an_application(fuzz, draft, kind, body, author):
    r = fuzz.r
    plan = r.choice(["basic", "plus"])
    return put(
        body,
        cover_id=r.randbytes(32),
        plan=plan,
        contract_terms=1,
        household=body.household[:32],
        nullifier=r.randbytes(32),
        deposit_cents=fuzz.premium_of(plan),
        deposit_commitment=r.randbytes(32),
        payout_commitment=r.choice([b"", r.randbytes(32)]),
    ), r.choice(fuzz.strangers)


def of_an_applicant(fuzz, draft, kind, body, author):
    found = [row.applicant for row in APPLICATIONS.scan(draft)]
    if not found:
        return None
    if kind == "member.withdraw":
        return body, fuzz.r.choice(found)
    body = put(body, applicant=fuzz.r.choice(found))
    return (put(body, reason=body.reason[:280]) if kind == "member.object" else body), author


def guardians_of(fuzz, draft, kind, body, author):
    keys = tuple(fuzz.r.sample([key for key in fuzz.people if key != author], 2))
    return put(body, keys=keys, threshold=fuzz.r.choice([1, 2])), author


def a_move(fuzz, draft, kind, body, author):
    found = [key for key in fuzz.people if guardians.guardians_of(draft, key).keys]
    if not found:
        return None
    member = fuzz.r.choice(found)
    return (
        put(body, member=member, new_key=fuzz.r.randbytes(32), serial=guardians.guardians_of(draft, member).serial),
        author,
    )


def an_objection(fuzz, draft, kind, body, author):
    found = [row.member for row in IDENTITY_MOVES.scan(draft)]
    return (body, fuzz.r.choice(found)) if found else None


def a_fresh_key(fuzz, draft, kind, body, author):
    return put(body, **{body.__struct_fields__[0]: fuzz.r.randbytes(32)}), author


def a_known_device(fuzz, draft, kind, body, author):
    found = [key for key, owner in fuzz.devices_of(draft) if owner == author]
    return (put(body, device=fuzz.r.choice(found)), author) if found else None


def a_known_dependant(fuzz, draft, kind, body, author):
    found = list(DEPENDANTS.scan(draft))
    if not found:
        return None
    row = fuzz.r.choice(found)
    return put(body, cover=row.cover), row.member


MAKERS = {
    "claim.file": a_claim,
    "claim.withdraw": of_a_claim,
    "claim.evidence": of_a_claim,
    "case.ballot": on_a_case,
    "case.auto_ballot": on_a_case,
    "case.opened": on_a_case,
    "case.appeal": on_a_case,
    "proposal.sponsor": on_a_proposal,
    "proposal.vote": on_a_proposal,
    "treasury.batch": a_batch,
    "premium.paid": a_premium,
    "member.apply": an_application,
    "member.vouch": of_an_applicant,
    "member.object": of_an_applicant,
    "member.withdraw": of_an_applicant,
    "guardians.set": guardians_of,
    "identity.move": a_move,
    "identity.object": an_objection,
    "device.certify": a_fresh_key,
    "cover.add": a_fresh_key,
    "device.revoke": a_known_device,
    "cover.end": a_known_dependant,
}
