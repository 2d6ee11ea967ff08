"""`mutua proposal list | show | open | sponsor | vote`: what the co-op changes by a vote of its members (rules §12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.client import Client
from node.cli.common import (
    DEFAULT,
    ID_PREFIX_MIN,
    Common,
    Money,
    full_id,
    is_confirmed,
    member_id,
    own_member,
    report_submission,
    say,
    short,
    table,
)

app = App(name="proposal", help="Propose what the co-op changes, sponsor it, vote on it.")

Json = dict[str, Any]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]
CHOICES = ("yes", "no", "abstain")
AMOUNTS = ("allowed", "premium", "prior", "deductible", "copay", "oop_max", "claim_ceiling", "year_ceiling")

FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "param": (("name", "value"), ()),
    "plan": (
        ("name",),
        (
            "premium",
            "prior",
            "deductible",
            "copay",
            "coinsurance_bp",
            "oop_max",
            "claim_ceiling",
            "year_ceiling",
            "waiting_terms",
            "code",
        ),
    ),
    "list": (("name",), ("system", "standard", "allowed", "frequency")),
    "demote": (("name",), ("system",)),
    "phase": (("name",), ()),
    "expel": (("member",), ()),
    "attester": (("change", "key"), ("name",)),
    "verifier": (("change", "key"), ("name",)),
    "provider": (("change", "key"), ("name",)),
    "signer": (("change",), ("key", "value", "name")),
    "protocol": (("value", "height"), ()),
}
"""For each kind of proposal what it needs, and what it may say beside."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Says:
    """What a proposal says. Each kind takes its own of these."""

    name: Annotated[
        str | None,
        Parameter(help="The parameter, plan, code or phase; the name of an attester, verifier, provider or signer."),
    ] = None
    value: Annotated[
        int | None, Parameter(help="The parameter's value, the signers' threshold, or the protocol version.")
    ] = None
    system: Annotated[str | None, Parameter(help="The code's system.")] = None
    standard: Annotated[bool | None, Parameter(negative="", help="The code is standard: paid without a vote.")] = None
    allowed: Annotated[str | None, Parameter(help="The code's allowed amount.")] = None
    frequency: Annotated[int | None, Parameter(help="Units of the code for a cover and benefit year.")] = None
    member: Annotated[str | None, Parameter(help="Whom to expel: a key, or its first digits.")] = None
    change: Annotated[str | None, Parameter(help="add or remove; for signers also threshold.")] = None
    key: Annotated[
        str | None, Parameter(help="The key of an attester, verifier, provider or signer: 64 hex digits.")
    ] = None
    height: Annotated[int | None, Parameter(help="The first block of a protocol version.")] = None
    premium: Annotated[
        str | None, Parameter(help="A new plan's premium a term; later it moves by re-rating alone.")
    ] = None
    prior: Annotated[str | None, Parameter(help="A plan's prior cost a term, for its target premium.")] = None
    deductible: Annotated[str | None, Parameter(help="A plan's deductible a benefit year.")] = None
    copay: Annotated[str | None, Parameter(help="A plan's copay a claim.")] = None
    coinsurance_bp: Annotated[int | None, Parameter(help="A plan's coinsurance in basis points.")] = None
    oop_max: Annotated[str | None, Parameter(help="What a member bears in a benefit year at most.")] = None
    claim_ceiling: Annotated[str | None, Parameter(help="A plan's ceiling a claim.")] = None
    year_ceiling: Annotated[str | None, Parameter(help="A plan's ceiling a year.")] = None
    waiting_terms: Annotated[int | None, Parameter(help="A plan's waiting of a first contract.")] = None
    code: Annotated[
        list[str] | None, Parameter(negative="", help="A code that the plan covers; again for each. None: every code.")
    ] = None

    def given(self) -> Json:
        """Return what is given, by field."""
        return {item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) is not None}


NOTHING = Says()


# ---- Reading -------------------------------------------------------------------------


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List the proposals: those that are open or gather sponsors first, then the newest."""
    client = common.client()
    found = client.view("proposals")
    money = Money.of(client.status())
    return say(
        common,
        found,
        lambda: (
            table(
                ("proposal", "what", "status", "yes", "no", "abstain", "until block", "from block"),
                [
                    (
                        short(item["proposal"]),
                        in_words(item, money),
                        _status_words(item),
                        item["yes"],
                        item["no"],
                        item["abstain"],
                        item["closes_at"],
                        item["effective_height"],
                    )
                    for item in found
                ],
            )
            if found
            else ["nothing is proposed"]
        ),
    )


@app.command
def show(proposal: str, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show a proposal: what it says, what it needs, how it stands, and your vote.

    Parameters
    ----------
    proposal
        The proposal's id, or its first digits.

    """
    client = common.client()
    status = client.status()
    answer = client.view("proposal", id=_proposal_id(client, proposal), member=status.get("member"))
    return say(common, answer, lambda: _lines(answer, Money.of(status)))


def _status_words(item: Mapping[str, Any]) -> str:
    """Return a proposal's status; while it gathers sponsors, how many it has."""
    if item["status"] != "gathering":
        return str(item["status"]).replace("_", " ")
    return f"{item['sponsors']} of {item['sponsors_needed']} sponsors"


def _lines(item: Mapping[str, Any], money: Money) -> Iterator[str]:
    yield f"proposal   {item['proposal']}"
    yield f"what       {in_words(item, money)}" + (
        "; critical: two thirds, and a term later" if item["is_critical"] else ""
    )
    yield f"status     {str(item['status']).replace('_', ' ')}" + (f": {item['why']}" if item["why"] else "")
    if item["status"] == "gathering":
        yield f"sponsors   {item['sponsors']} of {item['sponsors_needed']}"
        return
    yield (
        f"votes      {item['yes']} yes, {item['no']} no, {item['abstain']} abstain of {item['eligible']};"
        f" {item['turnout_needed']} must vote"
    )
    yield f"vote       opened in block {item['opened_height']}, until block {item['closes_at']}"
    if item["effective_height"]:
        yield f"in effect  from the end of block {item['effective_height']}"
    if "my_vote" in item:
        yield f"your vote  {item['my_vote'] or 'none'}"


def in_words(item: Mapping[str, Any], money: Money) -> str:
    """Return what a proposal says, in a few words.

    >>> in_words({"what": "param", "says": {"name": "grace_blocks", "value": 12}}, Money("USD", 2))
    'param grace_blocks = 12'
    >>> signer = {"change": "add", "key": "ab" * 32, "name": "", "value": 3}
    >>> in_words({"what": "signer", "says": signer}, Money("USD", 2))
    'signer: add abababababab, 3 must sign'
    """
    says = item["says"]
    match item["what"]:
        case "param":
            return f"param {says['name']} = {says['value']}"
        case "protocol":
            return f"protocol version {says['value']} from block {says['height']}"
        case "expel":
            return f"expel {short(says['member'])}"
        case "attester" | "verifier" | "provider" | "signer" as role:
            words = [
                says["change"],
                *([short(says["key"])] if says["key"] else []),
                *([f"({says['name']})"] if says["name"] else []),
            ]
            return f"{role}: {' '.join(words)}" + (f", {says['value']} must sign" if says.get("value") else "")
        case "list":
            limit = "" if says["frequency"] is None else f", {says['frequency']} units a year"
            how = f"standard, allowed {money.show(says['allowed_cents'])}{limit}" if says["standard"] else "by vote"
            return f"list {says['name']}: {how}"
        case "plan":
            return f"plan {says['name']}: {_figures_words(says, money)}"
        case what:
            return f"{what} {says['name']}"


def _figures_words(says: Mapping[str, Any], money: Money) -> str:
    figures = says["figures"]
    return (
        f"premium {money.show(says['premium_cents'])} if it is new, deductible"
        f" {money.show(figures['deductible_cents'])}, copay {money.show(figures['copay_cents'])}, coinsurance"
        f" {figures['coinsurance_bp']} bp, at most {money.show(figures['oop_max_cents'])} a year borne, waiting"
        f" {figures['waiting_terms']} terms"
    )


def _proposal_id(client: Client, text: str) -> str:
    """Return the whole id of a proposal.

    Those that open by themselves have longer ids than a record's. MutuaError `id`, `not_found`.
    """
    wanted = text.strip().lower()
    found = [str(item["proposal"]) for item in client.view("proposals")]
    if wanted in found:
        return wanted
    starting = [item for item in found if item.startswith(wanted)]
    if len(starting) == 1 and len(wanted) >= ID_PREFIX_MIN:
        return starting[0]
    return full_id(text, lambda: found, "proposal")


# ---- Acting --------------------------------------------------------------------------


@app.command(name="open")
def open_command(  # noqa: D417
    what: str, *, says: Says = NOTHING, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT
) -> int:
    """Put a proposal up; you are its first sponsor.

    Try a parameter first: mutua rehearse --from FOLDER --set NAME=VALUE.

    Parameters
    ----------
    what
        param, plan, list, demote, phase, expel, attester, verifier, provider, signer or protocol.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    check_fields(what, says.given())
    client = common.client()
    status = client.status()
    own_member(status)
    money = Money.of(status)
    body = body_of(client, what, says.given(), money)
    shown = {"what": what, "says": body}
    review = [
        f"you propose: {in_words(shown, money)}",
        "it opens when enough members sponsor it, and is voted on then; all members' nodes see that it is yours",
    ]
    if not is_confirmed(common, yes=yes, review=review, question="propose it?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("proposal.open", body)
    new = short(answer["record_id"])
    then = f"others sponsor it: mutua proposal sponsor {new}; how many are needed: mutua proposal show {new}"
    return report_submission(common, client, answer, f"proposed, {in_words(shown, money)}", wait, then=then)


def check_fields(what: str, given: Mapping[str, Any]) -> None:
    """Raise MutuaError `usage` unless the kind exists, and what is given is what it takes."""
    if what not in FIELDS:
        raise MutuaError("usage", f"nothing can be proposed about {what!r}", f"one of {', '.join(FIELDS)}")
    needed, more = FIELDS[what]
    option = {name: f"--{name.replace('_', '-')}" for name in (*needed, *more, *given)}
    missing = [option[name] for name in needed if name not in given]
    strange = [option[name] for name in given if name not in (*needed, *more)]
    if missing or strange:
        fault = f"it lacks {', '.join(missing)}" if missing else f"it knows no {', '.join(strange)}"
        raise MutuaError(
            "usage",
            f"a proposal on {what}: {fault}",
            f"it takes {', '.join(option[name] for name in (*needed, *more))}",
        )


def body_of(client: Client, what: str, given: Mapping[str, Any], money: Money) -> Json:
    """Return the body of a proposal as the API takes it."""
    cents = {name: money.read(str(given[name]), name) for name in AMOUNTS if name in given}
    body: Json = {
        "what": what,
        "name": given.get("name", ""),
        "system": given.get("system", ""),
        "member": "",
        "value": given.get("value", 0),
        "standard": given.get("standard", False),
        "allowed_cents": cents.get("allowed"),
        "frequency": given.get("frequency"),
        "premium_cents": cents.get("premium", 0),
        "prior_cents": cents.get("prior"),
        "figures": None,
        "change": given.get("change", ""),
        "key": full_id(given["key"], lambda: (), "key") if "key" in given else "",
        "height": given.get("height", 0),
    }
    if "member" in given:
        body["member"] = member_id(client, given["member"])
    if what == "plan":
        body["figures"] = {
            "from_day": 0,
            "deductible_cents": cents.get("deductible", 0),
            "copay_cents": cents.get("copay", 0),
            "coinsurance_bp": given.get("coinsurance_bp", 0),
            "oop_max_cents": cents.get("oop_max"),
            "claim_ceiling_cents": cents.get("claim_ceiling"),
            "year_ceiling_cents": cents.get("year_ceiling"),
            "waiting_terms": given.get("waiting_terms", 0),
            "codes": list(given.get("code", ())),
        }
    return body


@app.command
def sponsor(proposal: str, *, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Sponsor a proposal: with the last needed sponsor it opens. Sponsoring is not voting.

    Parameters
    ----------
    proposal
        The proposal's id, or its first digits.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    status = client.status()
    own = own_member(status)
    item = client.view("proposal", id=_proposal_id(client, proposal), member=own)
    if not is_confirmed(common, yes=yes, review=_lines(item, Money.of(status)), question="sponsor it?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("proposal.sponsor", {"proposal": item["proposal"]})
    return report_submission(common, client, answer, f"proposal {short(item['proposal'])} sponsored", wait)


@app.command
def vote(proposal: str, choice: str, *, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Vote on a proposal; your last vote counts.

    Parameters
    ----------
    proposal
        The proposal's id, or its first digits.
    choice
        yes, no or abstain.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    if choice not in CHOICES:
        raise MutuaError("usage", f"{choice!r} is no choice", f"one of {', '.join(CHOICES)}")
    client = common.client()
    status = client.status()
    own = own_member(status)
    item = client.view("proposal", id=_proposal_id(client, proposal), member=own)
    review = [*_lines(item, Money.of(status)), "all members' nodes see your key and your vote"]
    if not is_confirmed(common, yes=yes, review=review, question=f"vote {choice}?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("proposal.vote", {"proposal": item["proposal"], "choice": choice})
    return report_submission(common, client, answer, f"voted {choice} on proposal {short(item['proposal'])}", wait)
