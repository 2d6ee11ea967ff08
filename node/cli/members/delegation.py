"""`mutua vote delegate | undelegate | delegations`.

Let another member vote where you do not, on one code or on all (rules §6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from node.cli.common import DEFAULT, Common, is_confirmed, member_id, own_member, report_submission, say, short, table

EVERY_TOPIC = "*"
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]


def delegate(  # noqa: D417
    to: str, *, topic: str = EVERY_TOPIC, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT
) -> int:
    """Let a member vote for you where you cast no ballot of your own. The delegate's ballots enter your voting record.

    Parameters
    ----------
    to
        The delegate: a member's key, or its first digits.
    topic
        A code, or * for all codes. One for a code comes before one for all.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    own = own_member(client.status())
    key = member_id(client, to)
    given = client.view("delegations", member=own)["given"]
    before = next((str(item["to"]) for item in given if item["topic"] == topic), None)
    review = [
        (
            f"{short(key)} votes for you on {topic_words(topic)} where you do not, from the next evening on, also on"
            " votes that are open"
        ),
        *([f"{short(before)} votes for you there until then"] if before else []),
        "their denials count in your record, and so in the bar of your own claims; all members see the delegation",
    ]
    if not is_confirmed(common, yes=yes, review=review, question="delegate?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("vote.delegate", {"to": key, "topic": topic})
    return report_submission(common, client, answer, f"{topic_words(topic)} delegated to {short(key)}", wait)


def undelegate(*, topic: str = EVERY_TOPIC, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Take a delegation back; it counts in no later tally.

    Parameters
    ----------
    topic
        The code, or * for the delegation of all codes.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    own_member(client.status())
    if not is_confirmed(common, yes=yes, review=(), question=f"take back the delegation of {topic_words(topic)}?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("vote.undelegate", {"topic": topic})
    return report_submission(common, client, answer, f"the delegation of {topic_words(topic)} is taken back", wait)


def delegations(member: str = "", *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show whom a member lets vote, and for whom the member votes.

    Parameters
    ----------
    member
        A member's key, or its first digits; yourself by default.

    """
    client = common.client()
    key = member_id(client, member) if member else own_member(client.status())
    answer = client.view("delegations", member=key)
    return say(common, answer, lambda: _lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        *((topic_words(item["topic"]), "is delegated to", short(item["to"])) for item in answer["given"]),
        *((topic_words(item["topic"]), "is voted for", short(item["by"])) for item in answer["received"]),
    ]
    yield from table(("topic", "", "member"), rows) if rows else ["no delegations"]
    yield f"delegators: {answer['delegators']} of at most {answer['delegators_max']}"


def topic_words(topic: str) -> str:
    """Return a topic for people."""
    return "every code" if topic == EVERY_TOPIC else f"code {topic}"
