"""Delegation: per code or for all, revocable, one level deep, to a delegate with few delegators (rules §6)."""

from __future__ import annotations

from collections.abc import Iterator

from governance.acts import Act
from governance.day import Day
from governance.membership import members
from governance.state.delegation import DELEGATE_LOADS, DELEGATES, DELEGATION_PAIRS, DELEGATORS, DelegateRow
from governance.state.members import MEMBERS
from governance.tables import Draft, Name
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
EVERY_TOPIC = "*"
TOPIC_SIZE_MAX = 64


class DelegateBody(Shape):
    """Let `to` vote for the author where the author does not: on one code, or `*` for all."""

    to: bytes
    topic: str


class UndelegateBody(Shape):
    """Withdraw a delegation."""

    topic: str


# ---- Rules --------------------------------------------------------------
def check_delegate(day: Day, act: Act, body: DelegateBody) -> None:
    """Raise RuleBroken unless the author may delegate this topic to this member now."""
    members.check_member(day.draft, act.author)
    target = MEMBERS.find(day.draft, body.to)
    if target is None or not target.is_member or body.to == act.author:
        raise RuleBroken("delegate_unfit", "the delegate is not another member", "choose somebody else")
    if not 1 <= len(body.topic) <= TOPIC_SIZE_MAX:
        what = f"a topic has 1 to {TOPIC_SIZE_MAX} characters, not {len(body.topic)}"
        raise RuleBroken("topic_size", what, "name a code, or * for all")
    limit = delegators_max_of(day)
    load = DELEGATE_LOADS.value(day.draft, body.to)
    after = load + (DELEGATION_PAIRS.find(day.draft, body.to, act.author) is None)
    if after > limit:  # also for another topic of a delegator: the limit falls when voters leave
        what = f"the delegate has {load} of {limit} delegators"
        raise RuleBroken("delegate_full", what, "choose somebody else")


def delegators_max_of(day: Day) -> int:
    """Return how many delegators a delegate may have over all topics: a share of the voters, or the minimum."""
    return max(day.params.delegators_min, day.counts.voters * day.params.delegators_bp // 10_000)


def apply_delegate(day: Day, act: Act, body: DelegateBody) -> None:
    """Delegate a topic; an earlier delegate of the same topic is replaced."""
    if DELEGATES.find(day.draft, act.author, body.topic) is not None:
        apply_undelegate(day, act, UndelegateBody(body.topic))
    DELEGATES.put(day.draft, DelegateRow(body.topic, body.to), act.author, body.topic)
    DELEGATORS.put(day.draft, Name(act.author), body.to, body.topic, act.author)
    if DELEGATION_PAIRS.add(day.draft, 1, body.to, act.author) == 1:
        DELEGATE_LOADS.add(day.draft, 1, body.to)
    day.count(delegations=1)
    _note_change(day, act.author, body.topic, body.to)


def check_undelegate(day: Day, act: Act, body: UndelegateBody) -> None:
    """Raise RuleBroken when there is no such delegation."""
    if DELEGATES.find(day.draft, act.author, body.topic) is None:
        what = f"the author delegated nothing on {body.topic}"
        raise RuleBroken("no_delegation", what, "your own ballots already count; name a topic that you delegated")


def apply_undelegate(day: Day, act: Act, body: UndelegateBody) -> None:
    """Withdraw a delegation; later tallies no longer count it."""
    to = DELEGATES.get(day.draft, act.author, body.topic).to
    DELEGATES.delete(day.draft, act.author, body.topic)
    DELEGATORS.delete(day.draft, to, body.topic, act.author)
    if DELEGATION_PAIRS.add(day.draft, -1, to, act.author) == 0:
        DELEGATE_LOADS.add(day.draft, -1, to)
    day.count(delegations=-1)
    _note_change(day, act.author, body.topic, to)


def _note_change(day: Day, author: bytes, topic: str, delegate: bytes) -> None:
    """Record whose ballots now count for other delegators; a delegation for a code takes from the one for all."""
    changed = day.delegates_changed.setdefault(topic, set())
    changed.add(delegate)
    for_all = None if topic == EVERY_TOPIC else DELEGATES.find(day.draft, author, EVERY_TOPIC)
    if for_all is not None:
        changed.add(for_all.to)


def delegate_of(draft: Draft, delegator: bytes, code: str) -> bytes | None:
    """Return who votes for a member on a code where the member does not: by the code before for all."""
    row = DELEGATES.find(draft, delegator, code) or DELEGATES.find(draft, delegator, EVERY_TOPIC)
    return None if row is None else row.to


def delegators_of(draft: Draft, delegate: bytes, code: str) -> Iterator[bytes]:
    """Yield who lets `delegate` vote on a code: by the code, or for all without another delegate for the code."""
    if DELEGATE_LOADS.value(draft, delegate) == 0:  # most voters: one row read, nothing scanned
        return
    for name in DELEGATORS.scan(draft, delegate, code):
        yield name.value
    for name in DELEGATORS.scan(draft, delegate, EVERY_TOPIC):
        if DELEGATES.find(draft, name.value, code) is None:
            yield name.value
