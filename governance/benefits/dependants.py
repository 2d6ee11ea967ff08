"""Dependants: covers on one member's contract; each adult has a membership and a vote (rules §2 "Household").

A dependant is a key, as everybody here. The cover begins with the next term and ends with the contract, or by notice
with the next full term. The member answers for it: premium, suspension, holds and what fraud makes a debt are the
member's.
"""

from __future__ import annotations

from msgspec.structs import replace

from governance.acts import Act, Attested, check_attested, hash_of
from governance.benefits import contracts, covers
from governance.day import Day
from governance.membership import guardians, identity, members
from governance.state.contracts import CONTRACTS
from governance.state.covers import DEPENDANTS, DependantRow, DependantShare
from governance.state.members import COVERS
from governance.tables import Name
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken


# ---- Records ------------------------------------------------------------
class CoverAddBody(Shape):
    """Put a dependant's cover, whose key signs that it agrees, on the author's contract from the next term on."""

    cover: bytes


class CoverEndBody(Shape):
    """End a dependant's cover with the next full term."""

    cover: bytes


COVER = Attested("cover", hash_of("cover-add", with_author=True), "the dependant's cover key itself", key="cover")


# ---- Rules --------------------------------------------------------------
def check_add(day: Day, act: Act, body: CoverAddBody) -> None:
    """Raise RuleBroken unless a fresh cover may go on the author's contract now."""
    member = members.check_member(day.draft, act.author)
    row = CONTRACTS.find(day.draft, act.author)
    if row is None or not row.is_in_force:
        what = "the author has no contract in force"
        raise RuleBroken("no_contract", what, "add dependants once the contract has begun")
    if day.coop.run_off_height is not None:
        what = f"the co-op is in run-off since block {day.coop.run_off_height} and accepts no new covers"
        raise RuleBroken("no_admission", what, "existing covers continue until they end")
    if member.leave_term is not None or member.until is not None:
        end = member.until if member.leave_term is None else calendar.last_height_of(member.leave_term)
        what = f"the contract ends with block {end}, by notice or without renewal"
        raise RuleBroken("notice_given", what, "no dependants can be added to a contract that is ending")
    count, limit = len(row.dependants), day.params.dependants_max
    if count >= limit:
        raise RuleBroken(
            "dependants_full",
            f"{count} of {limit} dependants' covers are on the contract, including those that ended in the last"
            " twelve terms",
            "wait until a year after one of them ended",
        )
    identity.check_fresh(day, body.cover)
    if body.cover in guardians.guardians_of(day.draft, act.author).keys:
        raise RuleBroken("guardian_own", "this key is one of the author's guardians", "use a fresh cover key")
    if not day.coop.is_rehearsal:
        check_attested(act, COVER, body, (body.cover,), 1)


def apply_add(day: Day, act: Act, body: CoverAddBody) -> None:
    """Put the cover on the contract; the key belongs to this member from now on. Its share is set when it begins."""
    first_term = day.term + 1
    COVERS.put(day.draft, Name(act.author), body.cover)
    DEPENDANTS.put(
        day.draft, DependantRow(body.cover, act.author, calendar.first_height_of(first_term), None, 0), body.cover
    )
    row = CONTRACTS.get(day.draft, act.author)
    contracts.change(day, act.author, dependants=(*row.dependants, DependantShare(body.cover, first_term, None, 0, 0)))
    day.emit("cover_added", cover=body.cover, first_day=calendar.first_height_of(first_term))


def check_end(day: Day, act: Act, body: CoverEndBody) -> None:
    """Raise RuleBroken unless the cover is a dependant's on the author's contract and no notice was given for it."""
    members.check_member(day.draft, act.author)
    row = CONTRACTS.find(day.draft, act.author)
    shares = () if row is None else row.dependants
    share = next((item for item in shares if item.cover == body.cover), None)
    if share is None:
        what = "the author's contract has no such dependant"
        raise RuleBroken("dependant_unknown", what, "see them: mutua member dependant list")
    if share.last_term is not None:
        what = f"this cover ends at block {calendar.last_height_of(share.last_term)}"
        raise RuleBroken("notice_given", what, "to insure this person again, add a cover with a new key")


def apply_end(day: Day, act: Act, body: CoverEndBody) -> None:
    """Give notice for the cover: the end is the boundary of the next full term."""
    last_term = day.term + 1
    row = CONTRACTS.get(day.draft, act.author)
    shares = tuple(replace(item, last_term=last_term) if item.cover == body.cover else item for item in row.dependants)
    contracts.change(day, act.author, dependants=shares)
    covers.close(day.draft, body.cover, calendar.last_height_of(last_term))
