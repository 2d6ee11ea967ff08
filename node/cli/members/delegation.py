"""`mutua vote delegate | undelegate | delegations`: let a member vote where you do not (rules §6)."""

from __future__ import annotations

from collections.abc import Iterator

from node.api.text import short
from node.api.views.members import DELEGATIONS, Delegations
from node.cli.common import DEFAULT, SEND, Common, Sending, say, table

EVERY_TOPIC = "*"


def delegate(to: str, *, topic: str = EVERY_TOPIC, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Let a member vote for you where you cast no ballot of your own. The delegate's ballots enter your voting record.

    :param to: The delegate: a member's key, or its first digits.
    :param topic: A code, or * for all codes. A delegation for one code takes precedence over one for all.
    """
    session = common.session()
    own, key, words = session.member, session.member_id(to), topic_words(topic)
    before = next((item.to for item in session.view(DELEGATIONS, member=own).given if item.topic == topic), None)
    review = [
        (
            f"{short(key)} votes for you on {words} whenever you do not, from the end of this day on, including votes"
            " that are already open"
        ),
        *([f"{short(before)} votes for you there until then"] if before else []),
        (
            "their denials enter your voting record and can raise your own approval threshold; all members can see"
            " the delegation"
        ),
    ]
    body, done = {"to": key, "topic": topic}, f"{words} delegated to {short(key)}"
    return send.send(common, session, "vote.delegate", body, review=review, question="delegate?", done=done)


def undelegate(*, topic: str = EVERY_TOPIC, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Withdraw a delegation; later tallies no longer count it.

    :param topic: The code, or * for the delegation of all codes.
    """
    session = common.session()
    _, what = session.member, f"the delegation of {topic_words(topic)}"
    question, done = f"take back {what}?", f"{what} is taken back"
    return send.send(common, session, "vote.undelegate", {"topic": topic}, review=(), question=question, done=done)


def delegations(member: str = "", *, common: Common = DEFAULT) -> int:
    """Show a member's delegates, and the members who delegate to that member.

    :param member: A member's key, or its first digits; yourself by default.
    """
    session = common.session()
    answer = session.view(DELEGATIONS, member=session.member_or(member))
    return say(common, answer, lambda: _lines(answer))


def _lines(answer: Delegations) -> Iterator[str]:
    rows = [
        *((topic_words(item.topic), "is delegated to", short(item.to)) for item in answer.given),
        *((topic_words(item.topic), "is voted for", short(item.by)) for item in answer.received),
    ]
    yield from table(("topic", "", "member"), rows, "no delegations")
    yield f"delegators: {answer.delegators} of at most {answer.delegators_max}"


def topic_words(topic: str) -> str:
    """Return a topic for people."""
    return "every code" if topic == EVERY_TOPIC else f"code {topic}"
