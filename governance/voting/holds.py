"""Reports, holds and findings: payment waits for a while, a panel looks, and fraud has consequences (rules §9).

Five members' reports within twelve terms place a hold on payment to a cover. A finding ends it: cleared, or fraud,
which cancels what is unpaid, makes what was paid a debt, takes the vote for twelve terms and opens a proposal of
expulsion.
"""

from __future__ import annotations

from msgspec.structs import replace

from governance.acts import Act, Attested, attesters_of, check_attested, hash_of
from governance.benefits import community, settlement
from governance.day import Day
from governance.membership import members
from governance.state.audits import (
    AUDIT_HOLDS,
    AUDIT_PANELS,
    CLAIM_HOLDS,
    DRAWN_AUDITS,
    REPORTS,
    AuditPanelRow,
    HoldRow,
    ReportRow,
    Trigger,
)
from governance.state.claims import CLAIMS, ClaimRow
from governance.state.members import MEMBERS
from governance.state.payouts import PAYOUT_HISTORY, PAYOUT_HOLDS, PAYOUTS, RECEIVABLES
from governance.state.providers import PROVIDERS
from governance.tables import Number
from governance.voting import appeals, audits, cases, panels, proposals
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
OUTCOMES = ("fraud", "clear")
FRAUD_TERMS = 12


class ReportBody(Shape):
    """The author suspects a member or a provider of fraud, in one claim or (empty) in general."""

    member: bytes
    claim: bytes


class FindingBody(Shape):
    """What the audit panel found about a claim; a majority of the panel attests it in the role `finding`."""

    claim: bytes
    outcome: str
    reason: str


FINDING = Attested("finding", hash_of("audit-finding"), "a majority of the drawn panel")


# ---- Rules --------------------------------------------------------------
def check_report(day: Day, act: Act, body: ReportBody) -> None:
    """Raise RuleBroken unless this is a first report in twelve terms, or contests a claim filed by a provider."""
    members.check_member(day.draft, act.author)
    known = MEMBERS.find(day.draft, body.member) is not None or PROVIDERS.find(day.draft, body.member) is not None
    if not known or body.member == act.author:
        raise RuleBroken("report_unfit", "a report names another member, or a provider", "name one")
    if body.claim and CLAIMS.find(day.draft, body.claim) is None:
        raise RuleBroken("claim_unknown", "there is no such claim", "name one, or none")
    earlier = REPORTS.find(day.draft, body.member, act.author)
    if community.is_contest(day, act.author, body.member, body.claim):
        return
    if earlier is not None and _is_recent(day, earlier):
        again = calendar.first_height_of(calendar.term_of(earlier.height) + calendar.YEAR_TERMS)
        what = f"the author reported this in block {earlier.height}"
        raise RuleBroken("reported", what, f"report again from block {again} on; others may co-sign")


def _is_recent(day: Day, report: ReportRow) -> bool:
    """True for a report of the last twelve terms, the present one included."""
    return calendar.term_of(report.height) > day.term - calendar.YEAR_TERMS


def apply_report(day: Day, act: Act, body: ReportBody) -> None:
    """Count a report; the last one needed, or a patient's own on a provider's claim, places a hold."""
    if community.is_contest(day, act.author, body.member, body.claim):
        contested = community.note_contest(day, body.claim)
        _place(day, contested.cover, body.claim, "contest")
    earlier = REPORTS.find(day.draft, body.member, act.author)
    if earlier is not None and _is_recent(day, earlier):
        return  # counted among the needed ones already
    REPORTS.put(day.draft, ReportRow(act.author, day.height, body.claim), body.member, act.author)
    known = list(REPORTS.scan(day.draft, body.member))
    recent = [row for row in known if _is_recent(day, row)]
    for row in known:
        if not _is_recent(day, row):  # it counts no more, and is not read again
            REPORTS.delete(day.draft, body.member, row.reporter)
    if len(recent) < day.params.audit_reports:
        return
    for row in recent:  # used up: a further hold needs as many further reports
        REPORTS.delete(day.draft, body.member, row.reporter)
    target = MEMBERS.find(day.draft, body.member)
    if target is not None:
        _place(day, target.cover, body.claim, "reports")
    if PROVIDERS.find(day.draft, body.member) is not None:  # a provider who is a member, too, is held as both
        _place(day, body.member, body.claim, "reports")


def _place(day: Day, key: bytes, claim_id: bytes, trigger: Trigger) -> None:
    """Hold the payouts of a cover or a provider, and draw the panel of the claim, where one is named."""
    until = day.height + day.params.hold_blocks
    serial = 1 + max((row.serial for row in AUDIT_HOLDS.scan(day.draft, until, key)), default=-1)
    hold = HoldRow(key, claim_id or None, trigger, until, serial)
    AUDIT_HOLDS.put(day.draft, hold, until, key, serial)
    if hold.claim is not None:
        CLAIM_HOLDS.put(day.draft, hold, hold.claim, until, key, serial)
    PAYOUT_HOLDS.add(day.draft, 1, key)
    if claim_id:
        _draw_panel(day, claim_id)
    day.emit("hold_placed", member=key, claim=hold.claim, trigger=hold.trigger)


def _draw_panel(day: Day, claim_id: bytes) -> None:
    """Draw the members who open the documents: anyone who may vote, without those who never vote on the claim."""
    excluded = audits.excluded_of(day, CLAIMS.get(day.draft, claim_id))
    eligible = [key for key in members.voters_now(day.draft) if key not in excluded]
    panel = panels.draw(day.randomness, b"audit-panel/" + claim_id, eligible, day.params.audit_panel)
    AUDIT_PANELS.put(day.draft, AuditPanelRow(claim_id, tuple(panel)), claim_id)


def panel_of(day: Day, claim_id: bytes) -> tuple[bytes, ...] | None:
    """Return the panel of a claim under audit, in draw order; None where none is due.

    Reports draw one at once. A claim drawn for audit has the one that its block's randomness gives from the voters of
    that block. It is worked out here, in time linear in the voters.
    """
    row = AUDIT_PANELS.find(day.draft, claim_id)
    if row is not None:
        return row.panel
    drawn = DRAWN_AUDITS.find(day.draft, claim_id)
    if drawn is None:
        return None
    eligible = [key for key in members.voters_as_of(day, drawn.height) if key not in drawn.excluded]
    return tuple(panels.draw(drawn.randomness, b"audit-panel/" + claim_id, eligible, drawn.panel_size))


def end_day(day: Day) -> None:
    """Lift the holds that expire with this block."""
    for hold in list(AUDIT_HOLDS.scan(day.draft, day.height)):
        _lift(day, hold)


def _lift(day: Day, hold: HoldRow) -> None:
    AUDIT_HOLDS.delete(day.draft, hold.until, hold.cover, hold.serial)
    if hold.claim is not None:
        CLAIM_HOLDS.delete(day.draft, hold.claim, hold.until, hold.cover, hold.serial)
    PAYOUT_HOLDS.add(day.draft, -1, hold.cover)
    day.emit("hold_lifted", member=hold.cover, claim=hold.claim, trigger=hold.trigger)


def check_finding(day: Day, act: Act, body: FindingBody) -> None:
    """Raise RuleBroken unless the panel's majority attests a first finding (in a rehearsal the file decides)."""
    claim = CLAIMS.find(day.draft, body.claim)
    if claim is None:
        raise RuleBroken("claim_unknown", "there is no such claim", "name a claim of this ledger")
    if body.outcome not in OUTCOMES:
        raise RuleBroken("outcome_unknown", f"{body.outcome!r} is not a valid outcome", "fraud or clear")
    if RECEIVABLES.find(day.draft, community.debtor_of(claim), body.claim) is not None:
        what = "the claim was found fraudulent before"
        raise RuleBroken("fraud_known", what, "the consequences of that finding remain")
    if not day.coop.is_rehearsal or act.attestations:
        _check_cheaply(day, act, body)
        panel = panel_of(day, body.claim)
        if panel is None:
            what = "no panel was drawn for this claim"
            raise RuleBroken("no_panel", what, f"reports of {day.params.audit_reports} members draw one")
        keys = [members.identity_key_of(day.draft, member) for member in panel]
        check_attested(act, FINDING, body, keys, len(keys) // 2 + 1)


def _check_cheaply(day: Day, act: Act, body: FindingBody) -> None:
    """Raise RuleBroken, before a panel is worked out, for what no panel can have attested.

    A panel drawn by reports is stored. Else the draw is so many blocks old at most that the state knows who might vote
    then; and in a co-op with voters enough for the whole panel a majority of that size, of members who might vote then,
    has signed.
    """
    drawn = DRAWN_AUDITS.find(day.draft, body.claim)
    if drawn is None or AUDIT_PANELS.find(day.draft, body.claim) is not None:
        return
    if day.height > drawn.height + members.HISTORY_BLOCKS:
        raise RuleBroken(
            "audit_over",
            f"the audit was drawn in block {drawn.height}; its panel could report for {members.HISTORY_BLOCKS} blocks",
            "report it again",
        )
    owners = {
        members.owner_of_key(day.draft, key)
        for key in attesters_of(act, FINDING.role, FINDING.subject(act.author, body))
    }
    rows = [MEMBERS.find(day.draft, owner) for owner in owners if owner is not None]
    count = sum(1 for row in rows if row is not None and members.was_voter(row, drawn.height))
    if day.counts.voters >= 2 * drawn.panel_size and count < drawn.panel_size // 2 + 1:
        what = f"{count} panel members signed; a majority is {drawn.panel_size // 2 + 1}"
        raise RuleBroken("attestations_missing", what, "collect the missing ones")


def apply_finding(day: Day, _act: Act, body: FindingBody) -> None:
    """Lift the holds that name the claim; let fraud take its consequences."""
    claim = CLAIMS.get(day.draft, body.claim)
    named = list(CLAIM_HOLDS.scan(day.draft, body.claim))
    if body.outcome == "fraud":
        drawn = DRAWN_AUDITS.find(day.draft, body.claim)
        trigger = named[0].trigger if named else drawn.trigger if drawn is not None else None
        found = claim.provider if community.is_by_provider(claim) else claim.cover
        day.emit("fraud_found", member=found, claim=body.claim, trigger=trigger)
    for hold in named:
        _lift(day, hold)
    if body.outcome == "clear":
        return
    _cancel(day, claim)
    if community.is_by_provider(claim):
        community.suspend_filing(day, claim.provider)
        settlement.undo_settlement(day, claim)
        cases.forget_lines(day, claim)
    else:
        _punish(day, claim)


def _cancel(day: Day, claim: ClaimRow) -> None:
    """Cancel what is unpaid; what was paid is owed."""
    cases.cancel_open(day, claim.claim)
    appeals.cancel_open(day, claim.claim)
    owed = 0
    for row in PAYOUT_HISTORY.scan(day.draft, claim.claim):
        owed += row.benefit_cents
        key = (row.rank, row.height, row.claim, row.case or "")
        unpaid = PAYOUTS.find(day.draft, *key)
        if unpaid is not None:
            owed -= unpaid.owed_cents
            PAYOUTS.delete(day.draft, *key)
    RECEIVABLES.put(day.draft, Number(owed), community.debtor_of(claim), claim.claim)
    cases.forget_records(day, claim.claim)


def _punish(day: Day, claim: ClaimRow) -> None:
    """Take the vote through the next twelve terms and open the proposal of expulsion."""
    row = MEMBERS.get(day.draft, claim.member)
    until = calendar.last_height_of(day.term + FRAUD_TERMS)
    MEMBERS.put(day.draft, replace(row, fraud_height=day.height, no_vote_until=until), row.key)
    if row.is_member:
        members.set_voting_right(day, row.key, False)
        members.schedule_voting(day, row.key, day.term + FRAUD_TERMS + 1)
        proposals.open_expulsion(day, row.key, claim.claim)
