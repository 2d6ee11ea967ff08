"""Claims: filed by the cover's key with the provider's attestation, settled at once where standard, voted on elsewhere.

A claim names a cover, never a member. Lines are standard or not on their day; each code of the other lines is a case.
All parts share the copay and the ceiling of the claim.
"""

from __future__ import annotations

from msgspec.structs import replace

from governance.acts import Act, Attested, attesters_of
from governance.benefits import codes, community, preauthorisation, settlement
from governance.day import Day
from governance.membership import members
from governance.money import payouts
from governance.shaping import filled
from governance.state.cases import CASES
from governance.state.claims import CLAIM_SOURCES, CLAIMS, LINE_USES, ClaimRow, EvidenceRef, LineRow, LineUse
from governance.state.members import MemberRow
from governance.state.providers import PROVIDERS
from governance.tables import Draft, Name
from governance.voting import audits, cases
from ledger.codec import Shape, encode
from ledger.errors import RuleBroken
from ledger.hashing import tagged_hash

# ---- Records ------------------------------------------------------------
LINES_MAX = 100
EVIDENCE_MAX = 64
UNITS_MAX = 1_000_000
AMOUNT_CENTS_MAX = 10**12
"""Bounds keep every product of figures inside 64 bits."""
TEXT_MAX = 128
USES = ("claim", preauthorisation.USE)


class ClaimLine(Shape):
    """One service: code, units, charge in minor units, first and last day (heights)."""

    system: str
    code: str
    modifiers: tuple[str, ...]
    units: int
    charge_cents: int
    first_day: int
    last_day: int


class ClaimBody(Shape):
    """A claim as filed (rules §5). Empty: an event of its own, supersedes none, has no source, no commitment."""

    scheme: str
    cover_id: bytes
    submitter_role: str
    payee: str
    provider_id: bytes
    event_id: bytes
    use: str
    supersedes: bytes
    other_payer_cents: int
    source_hash: bytes
    evidence: tuple[EvidenceRef, ...]
    payout_commitment: bytes
    lines: tuple[ClaimLine, ...]


class WithdrawBody(Shape):
    """Withdraw the open cases of one of the author's own claims."""

    claim: bytes


class EvidenceBody(Shape):
    """New evidence for the open cases of one of the author's own claims: the next version."""

    claim: bytes
    evidence: tuple[EvidenceRef, ...]


def claim_subject_hash(body: ClaimBody) -> bytes:
    """Return what the provider attests: the claim without the commitment to the payout addresses."""
    return tagged_hash("claim-subject", encode(replace(body, payout_commitment=b"")))


PROVIDER = Attested(
    "provider",
    lambda _author, body: claim_subject_hash(body),
    "the provider signs the claim (all of it but the payout commitment)",
)


# ---- Rules --------------------------------------------------------------
def check_claim(day: Day, act: Act, body: ClaimBody) -> None:
    """Raise RuleBroken unless the claim may be filed in this block. Lines that are not covered do not refuse it."""
    _check_figures(day, body)
    member = members.member_of_cover(day.draft, body.cover_id)
    if member is None:
        what = "the claim names a cover that this co-op does not know"
        raise RuleBroken("cover_unknown", what, "use the cover key of a contract")
    if body.submitter_role == community.BY_PROVIDER:
        community.check_filing(day, act, body.scheme, body.provider_id)
    elif not act.author == act.signer == body.cover_id:
        raise RuleBroken("cover_signature", "a claim is signed by the key of its cover", "sign it with the cover key")
    if CLAIMS.find(day.draft, act.record_id) is not None:
        what = "a claim with this id is already on the ledger"
        raise RuleBroken("claim_known", what, "see what became of it: mutua claim explain")
    _check_provider(day, act, body, member)
    freed = _freed_by_supersedes(day, body)
    if body.source_hash:  # first: whoever imports a file again is to learn that it stands, not that its lines do
        earlier = CLAIM_SOURCES.find(day.draft, body.cover_id, body.source_hash)
        if earlier is not None and earlier.value != body.supersedes and has_standing_lines(day.draft, earlier.value):
            filed = CLAIMS.get(day.draft, earlier.value).height
            what = f"this source was imported in block {filed}"
            raise RuleBroken("source_known", what, "see the claim it became: mutua claim list")
    _check_duplicates(day, body, freed)


def _check_figures(day: Day, body: ClaimBody) -> None:
    """Raise RuleBroken for a claim whose fields are out of bounds."""
    problem = None
    texts = (body.scheme, body.submitter_role, body.event_id, body.source_hash, body.payout_commitment)
    if body.payee not in ("member", "provider"):
        problem = "the payee is member or provider"
    elif body.use not in USES or body.submitter_role not in community.ROLES:
        problem = "its use is claim or preauth, its submitter member or provider"
    elif body.submitter_role == community.BY_PROVIDER and (body.payee, body.use) != ("provider", "claim"):
        problem = "what a provider files is a claim, and the provider is its payee"
    elif not 1 <= len(body.lines) <= LINES_MAX:
        problem = f"a claim has 1 to {LINES_MAX} lines, not {len(body.lines)}"
    elif len(body.evidence) > EVIDENCE_MAX or body.other_payer_cents > AMOUNT_CENTS_MAX:
        problem = "it has too much evidence or too large an amount of another payer"
    elif max(map(len, texts)) > TEXT_MAX:
        problem = f"a field is longer than {TEXT_MAX}"
    is_planned = body.use == preauthorisation.USE
    earliest, latest = (day.height, preauthorisation.last_day_of(day)) if is_planned else (0, day.height)
    for index, line in enumerate(body.lines):
        if not 1 <= len(line.code) <= TEXT_MAX or len(line.system) > TEXT_MAX:
            problem = f"line {index + 1} has no code, or too long a one"
        elif not 1 <= line.units <= UNITS_MAX or line.charge_cents > AMOUNT_CENTS_MAX:
            problem = f"line {index + 1} has units outside 1..{UNITS_MAX} or a charge above {AMOUNT_CENTS_MAX}"
        elif not earliest <= line.first_day <= line.last_day <= latest:
            last = "" if line.first_day == line.last_day else f" to {line.last_day}"
            what = f"line {index + 1} is of day{'s' if last else ''} {line.first_day}{last}"
            problem = f"{what}; it may be of days {earliest} to {latest}, and the co-op's today is day {day.height}"
    if len({(line.system, line.code) for line in body.lines}) != len({line.code for line in body.lines}):
        problem = "one code stands under two coding systems"
    if problem is not None:
        raise RuleBroken("claim_shape", f"claim refused: {problem}", "correct it and file again")


def _check_provider(day: Day, act: Act, body: ClaimBody, member: MemberRow) -> None:
    """Raise RuleBroken unless a listed provider, not the claimant, attests the claim or is its author."""
    if PROVIDERS.find(day.draft, body.provider_id) is None:
        what = "the provider is not listed"
        raise RuleBroken("provider_unknown", what, "a provider verifier can list it, or members by a proposal")
    if members.owner_of_key(day.draft, body.provider_id) == member.key:
        what = "the provider's attestation was signed by the claimant"
        raise RuleBroken("provider_own", what, "have another provider attest it")
    is_signed_by_it = body.submitter_role == community.BY_PROVIDER
    if (
        not is_signed_by_it
        and not day.coop.is_rehearsal
        and body.provider_id not in attesters_of(act, PROVIDER.role, PROVIDER.subject(act.author, body))
    ):
        what = "the provider's attestation is missing"
        raise RuleBroken(
            "provider_attestation", what, "have the provider sign it: mutua claim draft, mutua claim attest"
        )


def _freed_by_supersedes(day: Day, body: ClaimBody) -> set[tuple[bytes, bytes, str, int]]:
    """Return the lines that the superseded claim of the same cover gives back; a pre-authorisation holds none."""
    if not body.supersedes:
        return set()
    earlier = CLAIMS.find(day.draft, body.supersedes)
    if earlier is None or earlier.cover != body.cover_id:
        what = "the superseded claim is not one of your own"
        raise RuleBroken("supersedes_unknown", what, "name one of your own claims, or none")
    if body.submitter_role == community.BY_PROVIDER and (
        not community.is_by_provider(earlier) or earlier.provider != body.provider_id
    ):
        what = "a provider can supersede only claims that it filed itself"
        raise RuleBroken("supersedes_unknown", what, "name such a claim, or none")
    if earlier.use == preauthorisation.USE:
        return set()
    return {cases.line_key_of(earlier, line) for line in earlier.lines if line.status == "open"}


def _check_duplicates(day: Day, body: ClaimBody, freed: set[tuple[bytes, bytes, str, int]]) -> None:
    """Raise RuleBroken for a line that was filed before, or a pre-authorisation that is being voted on (rules §5)."""
    is_planned = body.use == preauthorisation.USE
    if is_planned:
        preauthorisation.check_requests(
            day, body.cover_id, body.provider_id, {line.code for line in body.lines}, body.supersedes
        )
    seen: set[tuple[bytes, bytes, str, int]] = set()
    for index, line in enumerate(body.lines):
        key = (body.cover_id, body.provider_id, line.code, line.first_day)
        use = None if is_planned else LINE_USES.find(day.draft, *key)
        stands = use is not None and (use.lapses > 1 or (bool(use.standing) and key not in freed))
        if key in seen or stands:
            held = f"claim {use.standing.hex()[:12]}" if use is not None and use.standing else "a claim"
            raise RuleBroken(
                "duplicate_line",
                f"line {index + 1}: code {line.code} of day {line.first_day} is already in {held}",
                "leave the line out, or supersede that claim while its case is open",
            )
        seen.add(key)


def has_standing_lines(draft: Draft, claim_id: bytes) -> bool:
    """True iff a line of an earlier claim neither lapsed nor was withdrawn."""
    return any(line.status not in ("lapsed", "withdrawn") for line in CLAIMS.get(draft, claim_id).lines)


def apply_claim(day: Day, act: Act, body: ClaimBody) -> None:
    """File a claim: refuse what is not covered, settle the standard lines, open a case for each other code."""
    if body.supersedes:
        cases.withdraw_open(day, body.supersedes)
    member = members.member_of_cover(day.draft, body.cover_id)
    assert member is not None, "checked before"
    claim = filled(
        ClaimRow,
        body,
        claim=act.record_id,
        cover=body.cover_id,
        member=member.key,
        height=day.height,
        provider=body.provider_id,
        event_id=body.event_id or act.record_id,
        commitment=body.payout_commitment,
        evidence_version=1,
        other_left_cents=body.other_payer_cents,
        is_copay_taken=False,
        benefit_cents=0,
        lines=tuple(_line_row(day, line) for line in body.lines),
    )
    CLAIMS.put(day.draft, claim, claim.claim)
    if community.is_by_provider(claim):
        community.notify_patient(day, claim)
    if body.source_hash:
        CLAIM_SOURCES.put(day.draft, Name(claim.claim), body.cover_id, body.source_hash)
    if claim.use == preauthorisation.USE:
        _ask(day, claim)
        return
    repeats = {index for index, line in enumerate(claim.lines) if _take_line(day, claim, line)}
    claim, waiting = _settle_standard(day, claim)
    for code in sorted(waiting):
        indexes = tuple(waiting[code])
        cases.open_case(day, claim, code, indexes, is_second=repeats.issuperset(indexes))
    audits.after_claim(day, claim)


def _ask(day: Day, claim: ClaimRow) -> None:
    """Answer a pre-authorisation: nothing is paid, so it is no claim of the statistics and is not drawn for audit."""
    claim, waiting = preauthorisation.answer(day, claim)
    for code in sorted(waiting):
        indexes = tuple(waiting[code])
        charges = sum(claim.lines[index].charge_cents for index in indexes)
        cases.open_case(day, claim, code, indexes, is_second=preauthorisation.open_request(day, claim, code, charges))


def _line_row(day: Day, line: ClaimLine) -> LineRow:
    """Return a filed line, standard or not on its day."""
    is_standard = codes.code_on(day.draft, line.system, line.code, line.first_day).is_standard
    return filled(LineRow, line, is_standard=is_standard)


def _take_line(day: Day, claim: ClaimRow, line: LineRow) -> bool:
    """Let a line stand in this claim; True when it repeats a lapsed one."""
    key = cases.line_key_of(claim, line)
    use = LINE_USES.find(day.draft, *key) or LineUse(b"", 0)
    LINE_USES.put(day.draft, LineUse(claim.claim, use.lapses), *key)
    return use.lapses > 0


def _settle_standard(day: Day, claim: ClaimRow) -> tuple[ClaimRow, dict[str, list[int]]]:
    """Refuse and settle the lines that need no vote; return the claim and the other lines by code."""
    waiting: dict[str, list[int]] = {}
    for index, line in enumerate(claim.lines):
        refusal = settlement.find_refusal(day, claim, line)
        if refusal is not None:
            claim = settlement.refuse_line(day, claim, index, refusal)
        elif line.is_standard:
            claim, _ = settlement.settle_line(day, claim, index, None)
        elif (authorisation := preauthorisation.find_authorisation(day, claim, line)) is not None:
            claim = preauthorisation.settle_line(day, claim, index, authorisation)
        else:
            waiting.setdefault(line.code, []).append(index)
    all_refused = all(line.status == "refused" for line in claim.lines)
    if any(line.is_standard or line.authorised_by for line in claim.lines) or all_refused:
        no_vote = dict.fromkeys(("yes", "no", "bar_bp", "seniority_bp", "award_cents"))
        benefit = claim.benefit_cents
        day.emit("claim_accepted", claim=claim.claim, case=None, how="standard", **no_vote, benefit_cents=benefit)
        cases.owe(day, claim, None, payouts.STANDARD, benefit)
    return claim, waiting


def check_own_claim(day: Day, author: bytes, claim_id: bytes) -> ClaimRow:
    """Return a claim of the author (by member or cover key) with open cases; RuleBroken otherwise."""
    claim = CLAIMS.find(day.draft, claim_id)
    if claim is None or author not in (claim.member, claim.cover):
        raise RuleBroken("claim_not_own", "the author has no claim with this id", "name one of your own claims")
    if all(case.status != "open" for case in CASES.scan(day.draft, claim_id)):
        found = ", ".join(f"{case.code} {case.status}" for case in CASES.scan(day.draft, claim_id)) or "it has none"
        what = f"the claim has no open case: {found}"
        raise RuleBroken("nothing_open", what, "see why, and what you can still do: mutua claim explain")
    return claim


def check_withdraw(day: Day, act: Act, body: WithdrawBody) -> None:
    """Raise RuleBroken unless the claim is one of the author's own with open cases."""
    check_own_claim(day, act.author, body.claim)


def apply_withdraw(day: Day, _act: Act, body: WithdrawBody) -> None:
    """Withdraw the open cases of the claim."""
    cases.withdraw_open(day, body.claim)


def check_evidence(day: Day, act: Act, body: EvidenceBody) -> None:
    """Raise RuleBroken unless the author may add a version of evidence now (rules §6)."""
    claim = check_own_claim(day, act.author, body.claim)
    set_now = day.params
    if day.height > claim.height + set_now.evidence_until:
        until = claim.height + set_now.evidence_until
        what = f"evidence could be added until block {until}; this is block {day.height}"
        raise RuleBroken("evidence_late", what, "if the claim is denied, you can bring it with an appeal")
    if claim.evidence_version >= set_now.evidence_versions:
        versions = f"{claim.evidence_version} of {set_now.evidence_versions}"
        what = f"the claim has {versions} versions of evidence"
        raise RuleBroken("evidence_full", what, "after a denial an appeal may bring more")
    if len(claim.evidence) + len(body.evidence) > EVIDENCE_MAX:
        count = len(claim.evidence) + len(body.evidence)
        what = f"the claim would have {count} documents, at most {EVIDENCE_MAX}"
        raise RuleBroken("evidence_full", what, "combine several documents into one")


def apply_evidence(day: Day, _act: Act, body: EvidenceBody) -> None:
    """Add a version of evidence: voters may change their ballots once more."""
    claim = CLAIMS.get(day.draft, body.claim)
    version = claim.evidence_version + 1
    CLAIMS.put(
        day.draft, replace(claim, evidence=(*claim.evidence, *body.evidence), evidence_version=version), body.claim
    )
