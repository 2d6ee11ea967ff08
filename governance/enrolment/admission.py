"""Admission: an application, three vouchers, thirty blocks for objections, and a bound on growth (rules §2).

On a real chain an application carries a nullifier - a keyed hash of a civil identity - attested by enrolment attesters:
one person, one membership, and the ledger learns nothing. Membership starts with the next term.
"""

from __future__ import annotations

from msgspec.structs import replace

from governance.acts import Act, Attested, check_attested, hash_of
from governance.benefits import contracts, plans
from governance.day import Day, ceil_div
from governance.membership import attesters, members
from governance.money import deposits, treasury
from governance.state.applications import (
    APPLICATION_QUEUE,
    APPLICATIONS,
    NULLIFIERS,
    VOUCHES,
    ApplicationRow,
    ApplyBody,
)
from governance.state.contracts import CONTRACTS
from governance.state.members import COVERS, MEMBERS, MemberRow
from governance.state.plans import PLANS
from governance.state.treasury import check_treasury
from governance.tables import Name
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken
from ledger.hashing import HASH_SIZE

# ---- Records ------------------------------------------------------------
OBJECTION_BLOCKS = 30
VOUCHES_PER_TERM = 2
TEXT_SIZE_MAX = 280


class WithdrawApplicationBody(Shape):
    """Withdraw the author's own application; the deposit is returned."""


ENROLMENT = Attested(
    "enrolment",
    hash_of("enrolment", with_author=True),
    "enrolment attesters confirm that this person is not already a member",
    key="device",
)


DEPOSIT = Attested(
    "deposit",
    hash_of("application-deposit", with_author=True),
    "m of n treasury signers saw the deposit of one premium",
    key="device",
)


class VouchBody(Shape):
    """Vouch for an applicant."""

    applicant: bytes


class ObjectBody(Shape):
    """Object to an applicant, with a reason."""

    applicant: bytes
    reason: str


# ---- Rules --------------------------------------------------------------
def check_apply(day: Day, act: Act, body: ApplyBody) -> None:
    """Raise RuleBroken unless a stranger, or a past member, may apply now."""
    coop = day.coop
    if coop.run_off_height is not None:
        what = f"the co-op is in run-off since block {coop.run_off_height} and admits nobody"
        raise RuleBroken("no_admission", what, "applications are no longer accepted")
    if members.owner_of_key(day.draft, act.author) not in (None, act.author):
        what = "this key is a device, a cover or a later identity key of a member"
        raise RuleBroken("key_taken", what, "apply with the first key, or a fresh one")
    present = MEMBERS.find(day.draft, act.author)
    if present is not None and present.is_member:
        what = f"the author is a member since term {present.since_term}"
        raise RuleBroken("applied", what, "change the contract with plan.change")
    earlier = APPLICATIONS.find(day.draft, act.author)
    if earlier is not None:
        what = (
            f"the author applied in block {earlier.height} and has {len(earlier.vouchers)} of {day.params.vouchers}"
            " vouchers"
        )
        raise RuleBroken(
            "applied",
            what,
            f"it is decided at a boundary from block {earlier.height + OBJECTION_BLOCKS} on; ask"
            " members to vouch, or withdraw the application",
        )
    if present is not None and body.cover_id != present.cover:
        what = "a returning member keeps the earlier cover, including what it has used up"
        raise RuleBroken("cover_other", what, f"name the cover {present.cover.hex()}")
    owner = members.owner_of_key(day.draft, body.cover_id)
    if not 1 <= len(body.cover_id) <= 128 or owner not in (None, act.author) or len(body.household) > 128:
        what = "the cover belongs to another member, or a field is too long"
        raise RuleBroken("cover_taken", what, "choose a fresh cover key")
    if max(len(body.deposit_commitment), len(body.payout_commitment)) > HASH_SIZE:
        what = f"a commitment has at most {HASH_SIZE} bytes"
        raise RuleBroken("commitment_size", what, "build the application again")
    contract = CONTRACTS.find(day.draft, act.author)
    if contract is not None and contract.owed:
        raise RuleBroken("owes", f"{contract.owed_cents} is owed from the last membership", "pay it, then apply")
    plans.check_plan(day.draft, body.plan)
    contracts.check_guarantee(day, body.contract_terms)
    _check_person(day, act, body)
    _check_deposit(day, act, body)


def _check_person(day: Day, act: Act, body: ApplyBody) -> None:
    """Raise RuleBroken unless enough attesters sign that this person is not a member (implied in a rehearsal)."""
    is_implied = day.coop.is_rehearsal
    if not is_implied or act.attestations:
        enrolment = attesters.enrolment_now(day)
        check_attested(act, ENROLMENT, body, enrolment.keys, enrolment.needed)
    if is_implied and not body.nullifier:
        return
    known = NULLIFIERS.find(day.draft, body.nullifier)
    if len(body.nullifier) != 32 or (known is not None and known.value != act.author):
        raise RuleBroken("nullifier_known", "this person is a member under another key", "return under the old key")


def _check_deposit(day: Day, act: Act, body: ApplyBody) -> None:
    """Raise RuleBroken unless the signers saw a deposit of one premium (optional in a rehearsal)."""
    is_implied = day.coop.is_rehearsal
    if is_implied and not body.deposit_cents:
        return
    deposits.check_amount(body.deposit_cents, PLANS.get(day.draft, body.plan).premium_cents)
    treasury.check_unseen(day.draft, body.deposit_commitment)
    if not is_implied and not body.deposit_commitment:
        raise RuleBroken("commitment_size", "the deposit has no commitment", "build the application again")
    if not is_implied or act.attestations:
        box = check_treasury(day.draft)
        check_attested(act, DEPOSIT, body, box.signers, box.threshold)


def apply_apply(day: Day, act: Act, body: ApplyBody) -> None:
    """Record an application and hold its deposit."""
    treasury.note_seen(day.draft, body.deposit_commitment)
    deposits.take(day, act.author, body.cover_id, body.deposit_cents, body.payout_commitment)
    APPLICATIONS.put(day.draft, ApplicationRow(act.author, body, day.height), act.author)
    APPLICATION_QUEUE.put(day.draft, Name(act.author), day.height, act.author)
    COVERS.put(day.draft, Name(act.author), body.cover_id)  # from now on nobody else takes it
    if body.nullifier:
        NULLIFIERS.put(day.draft, Name(act.author), body.nullifier)


def _check_standing(day: Day, author: bytes, applicant: bytes) -> ApplicationRow:
    """Return the application; RuleBroken unless the author is in good standing."""
    row = members.check_member(day.draft, author)
    if not members.is_good_standing(day, row):
        raise _not_in_standing(day, row)
    application = APPLICATIONS.find(day.draft, applicant)
    if application is None:
        raise RuleBroken("applicant_unknown", "there is no such application", "see the list of applications")
    return application


def _not_in_standing(day: Day, row: MemberRow) -> RuleBroken:
    """Return the refusal with what the member lacks."""
    contract = CONTRACTS.find(day.draft, row.key)
    if contract is not None and contract.suspended_from is not None:
        return RuleBroken(
            "not_in_standing", f"the author is suspended and owes {contract.owed_cents}", "pay it, or let others do it"
        )
    if row.fraud_height is not None and row.fraud_height > day.height - calendar.YEAR_BLOCKS:
        until = row.fraud_height + calendar.YEAR_BLOCKS
        what = f"the author was found in block {row.fraud_height} to have committed fraud"
        return RuleBroken("not_in_standing", what, f"from block {until} on, or let others do it")
    terms = members.terms_complete_of(day, row)
    what = f"the author has been a member for {terms} complete terms; 6 are needed"
    return RuleBroken("not_in_standing", what, "wait until then, or leave it to other members")


def check_vouch(day: Day, act: Act, body: VouchBody) -> None:
    """Raise RuleBroken unless the author may vouch for the applicant now."""
    application = _check_standing(day, act.author, body.applicant)
    if act.author in application.vouchers:
        count = f"{len(application.vouchers)} of {day.params.vouchers}"
        raise RuleBroken("vouched", f"the author has already vouched ({count} members have)", "others may vouch")
    used = VOUCHES.value(day.draft, act.author, day.term)
    if used >= VOUCHES_PER_TERM:
        what = f"the author vouched {used} times this term"
        raise RuleBroken("vouches_used", what, f"vouch from block {calendar.first_height_of(day.term + 1)} on")


def apply_vouch(day: Day, act: Act, body: VouchBody) -> None:
    """Vouch."""
    row = APPLICATIONS.get(day.draft, body.applicant)
    APPLICATIONS.put(day.draft, replace(row, vouchers=(*row.vouchers, act.author)), body.applicant)
    VOUCHES.add(day.draft, 1, act.author, day.term)


def check_object(day: Day, act: Act, body: ObjectBody) -> None:
    """Raise RuleBroken unless the author may object now."""
    application = _check_standing(day, act.author, body.applicant)
    if day.height > application.height + OBJECTION_BLOCKS:
        until = application.height + OBJECTION_BLOCKS
        what = f"objections could be made until block {until}; this is block {day.height}"
        raise RuleBroken("objection_late", what, "a member may be expelled by a proposal")
    if act.author in application.objectors:
        count = f"{len(application.objectors)} of {day.params.objections}"
        what = f"the author is one of the {count} objectors already"
        raise RuleBroken("objected", what, f"others may object until block {application.height + OBJECTION_BLOCKS}")
    if len(body.reason) > TEXT_SIZE_MAX:
        what = f"the reason has {len(body.reason)} characters, at most {TEXT_SIZE_MAX}"
        raise RuleBroken("reason_long", what, "shorten it")


def apply_object(day: Day, act: Act, body: ObjectBody) -> None:
    """Object; the last needed objection ends the application."""
    row = APPLICATIONS.get(day.draft, body.applicant)
    row = replace(row, objectors=(*row.objectors, act.author))
    if len(row.objectors) >= day.params.objections:
        end_application(day, row, "objections")
    else:
        APPLICATIONS.put(day.draft, row, body.applicant)


def _forget(day: Day, row: ApplicationRow) -> None:
    """Take an application off the list. A person who was never a member may apply again under another key."""
    APPLICATIONS.delete(day.draft, row.applicant)
    APPLICATION_QUEUE.delete(day.draft, row.height, row.applicant)
    if row.body.nullifier and MEMBERS.find(day.draft, row.applicant) is None:
        NULLIFIERS.delete(day.draft, row.body.nullifier)


def check_withdraw(day: Day, act: Act, _body: WithdrawApplicationBody) -> None:
    """Raise RuleBroken unless the author has applied. The current identity key signs, also for a past member."""
    if APPLICATIONS.find(day.draft, act.author) is None:
        what = "the author has not applied, or has been admitted in the meantime"
        raise RuleBroken("applicant_unknown", what, "members leave by giving notice")


def apply_withdraw(day: Day, act: Act, _body: WithdrawApplicationBody) -> None:
    """Withdraw an application."""
    end_application(day, APPLICATIONS.get(day.draft, act.author), "withdrawn")


def end_application(day: Day, row: ApplicationRow, why: str) -> None:
    """End an application without membership; its deposit is returned, less what is owed from an earlier membership."""
    _forget(day, row)
    if (
        MEMBERS.find(day.draft, row.applicant) is None
    ):  # else covers would gather, each with units and ceilings of its own
        COVERS.delete(day.draft, row.body.cover_id)
    deposits.refund_deposit(day, row.applicant)
    day.emit("application_ended", member=row.applicant, why=why)


def _end_old(day: Day) -> None:
    """End applications that have lacked vouchers for too long; in run-off, every application with a deposit."""
    set_now = day.params
    for name in list(APPLICATION_QUEUE.scan(day.draft)):
        row = APPLICATIONS.get(day.draft, name.value)
        is_old = (
            day.height >= row.height + set_now.application_terms * calendar.TERM_BLOCKS
            and len(row.vouchers) < set_now.vouchers
        )
        is_old = is_old and set_now.application_terms > 0
        if is_old or (day.coop.run_off_height is not None and row.body.deposit_cents):
            end_application(day, row, "expired" if is_old else "run_off")


def end_term(day: Day) -> None:
    """Admit applicants who have enough vouchers and have waited, oldest first, within the bound on growth."""
    _end_old(day)
    coop = day.coop
    if coop.is_admission_stopped or coop.run_off_height is not None:
        return
    room = ceil_div(day.counts.voters, day.params.growth_div) if coop.phase == "live" else None
    for name in list(APPLICATION_QUEUE.scan(day.draft)):
        row = APPLICATIONS.get(day.draft, name.value)
        if room == 0:
            return
        if day.height >= row.height + OBJECTION_BLOCKS and len(row.vouchers) >= day.params.vouchers:
            _admit(day, row)
            _forget(day, row)
            room = None if room is None else room - 1


def _admit(day: Day, row: ApplicationRow) -> None:
    """Make the applicant a member from the next term on; a past one keeps the old record."""
    first_term = day.term + 1
    old = MEMBERS.find(day.draft, row.applicant)
    since = first_term
    if old is not None and old.left_height is not None and first_term - calendar.term_of(old.left_height) - 1 <= 2:
        since = old.since_term
    fresh = MemberRow(
        key=row.applicant,
        household=row.body.household,
        cover=row.body.cover_id,
        is_founder=False,
        is_member=True,
        since_term=since,
        voting=() if old is None else old.voting,
        vouchers=row.vouchers,
        is_warned=old is not None and old.is_warned,
        fraud_height=None if old is None else old.fraud_height,
        no_vote_until=-1 if old is None else old.no_vote_until,
    )
    members.add_member(day, fresh)
    contracts.start_contract(
        day, row.applicant, row.body.plan, length_terms=row.body.contract_terms, first_term=first_term, prepaid_terms=0
    )
    if day.coop.phase == "recruit":
        contracts.defer_contract(day, row.applicant)
    matures = max(since + day.params.voting_after_terms, day.terms_complete)
    if fresh.no_vote_until > day.height:
        matures = max(matures, calendar.term_of(fresh.no_vote_until) + 1)
    members.schedule_voting(day, row.applicant, matures)
    day.emit("member_joined", member=row.applicant)
