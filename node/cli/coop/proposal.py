"""`mutua proposal list | show | open | sponsor | vote`: what the co-op changes by a vote of its members (rules §12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.text import Units, short
from node.api.views.base import read
from node.api.views.coop import PROPOSAL, PROPOSALS, Proposal, ProposalSays, ProposalWhole
from node.cli.common import (
    DEFAULT,
    ID_PREFIX_MIN,
    SEND,
    Common,
    Row,
    Sending,
    Session,
    Whole,
    full_id,
    read_amount,
    say,
    table,
)

app = App(name="proposal", help="Propose changes to the co-op, sponsor proposals and vote on them.")

Json = dict[str, Any]
ProposalId = Annotated[str, Parameter(help="The proposal's id, or its first digits.")]
CHOICES = ("yes", "no", "abstain")
AMOUNTS = ("allowed", "premium", "prior", "deductible", "copay", "oop_max", "claim_ceiling", "year_ceiling")
FIGURES = (*AMOUNTS[1:], "coinsurance_bp", "waiting_terms", "code")

FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "param": (("name", "value"), ()),
    "plan": (("name",), FIGURES),
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
        Whole | None, Parameter(help="The parameter's value, the signers' threshold, or the protocol version.")
    ] = None
    system: Annotated[str | None, Parameter(help="The code's system.")] = None
    standard: Annotated[bool | None, Parameter(negative="", help="The code is standard: paid without a vote.")] = None
    allowed: Annotated[str | None, Parameter(help="The code's allowed amount.")] = None
    frequency: Annotated[Whole | None, Parameter(help="Units of the code allowed per cover and benefit year.")] = None
    member: Annotated[str | None, Parameter(help="The member to expel: a key, or its first digits.")] = None
    change: Annotated[str | None, Parameter(help="add or remove; for signers also threshold.")] = None
    key: Annotated[
        str | None, Parameter(help="The key of an attester, verifier, provider or signer: 64 hex digits.")
    ] = None
    height: Annotated[Whole | None, Parameter(help="The first block of a protocol version.")] = None
    premium: Annotated[
        str | None, Parameter(help="A new plan's premium per term; later only re-rating changes it.")
    ] = None
    prior: Annotated[str | None, Parameter(help="A plan's prior cost per term, used for its target premium.")] = None
    deductible: Annotated[str | None, Parameter(help="A plan's deductible per benefit year.")] = None
    copay: Annotated[str | None, Parameter(help="A plan's copay per claim.")] = None
    coinsurance_bp: Annotated[Whole | None, Parameter(help="A plan's coinsurance in basis points.")] = None
    oop_max: Annotated[str | None, Parameter(help="A plan's out-of-pocket maximum per benefit year.")] = None
    claim_ceiling: Annotated[str | None, Parameter(help="A plan's ceiling per claim.")] = None
    year_ceiling: Annotated[str | None, Parameter(help="A plan's ceiling per benefit year.")] = None
    waiting_terms: Annotated[Whole | None, Parameter(help="A plan's waiting terms for a first contract.")] = None
    code: Annotated[
        list[str] | None, Parameter(negative="", help="A code that the plan covers; may be repeated. Default: all.")
    ] = None

    def given(self) -> Json:
        """Return what is given, by field."""
        return {item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) is not None}


NOTHING = Says()


# ---- Reading -------------------------------------------------------------------------


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List the proposals: those that are open or gather sponsors first, then the newest."""
    session = common.session()
    found = session.view(PROPOSALS)
    heads = ("proposal", "what", "status", "yes", "no", "abstain", "until block", "from block")

    def row(item: Proposal) -> Row:
        what, status = in_words(item.what, item.says, session.units), _status_words(item)
        votes = item.yes, item.no, item.abstain
        return short(item.proposal), what, status, *votes, item.closes_at, item.effective_height

    return say(common, found, lambda: table(heads, map(row, found), "nothing is proposed"))


@app.command
def show(proposal: ProposalId, *, common: Common = DEFAULT) -> int:
    """Show a proposal: what it says, what it needs, its current state, and your vote."""
    session = common.session()
    answer = _proposal(session, proposal, session.status.member)
    return say(common, answer, lambda: _lines(answer, session.units))


def _status_words(item: Proposal) -> str:
    """Return a proposal's status; while it gathers sponsors, how many it has."""
    if item.status != "gathering":
        return item.status.replace("_", " ")
    return f"{item.sponsors} of {item.sponsors_needed} sponsors"


def _lines(item: ProposalWhole, units: Units) -> Iterator[str]:
    yield f"proposal   {item.proposal}"
    critical = "; critical: two thirds, and a term later" if item.is_critical else ""
    yield f"what       {in_words(item.what, item.says, units)}{critical}"
    yield f"status     {item.status.replace('_', ' ')}" + (f": {item.why}" if item.why else "")
    if item.status == "gathering":
        yield f"sponsors   {item.sponsors} of {item.sponsors_needed}"
        return
    tally = f"{item.yes} yes, {item.no} no, {item.abstain} abstain of {item.eligible}"
    yield f"votes      {tally}; {item.turnout_needed} must vote"
    yield f"vote       opened in block {item.opened_height}, until block {item.closes_at}"
    if item.effective_height:
        yield f"in effect  from the end of block {item.effective_height}"
    yield f"your vote  {item.my_vote or 'none'}"


def in_words(what: str, says: ProposalSays, units: Units) -> str:
    """Return what a proposal says, in a few words.

    >>> in_words("param", ProposalSays(name="grace_blocks", value=12), Units())
    'param grace_blocks = 12'
    >>> in_words("signer", ProposalSays(change="add", key="ab" * 32, name="", value=3), Units())
    'signer: add abababababab, 3 must sign'
    """
    match what:
        case "param":
            return f"param {says.name} = {says.value}"
        case "protocol":
            return f"protocol version {says.value} from block {says.height}"
        case "expel":
            return f"expel {short(says.member)}"
        case "attester" | "verifier" | "provider" | "signer" as role:
            key, name = short(says.key) if says.key else "", f"({says.name})" if says.name else ""
            words = " ".join(part for part in (says.change, key, name) if part)
            return f"{role}: {words}" + (f", {says.value} must sign" if says.value else "")
        case "list":
            limit = f", {says.frequency} units a year" if says.frequency else ""
            allowed = units.money(says.allowed_cents if isinstance(says.allowed_cents, int) else None)
            return f"list {says.name}: " + (f"standard, allowed {allowed}{limit}" if says.standard else "by vote")
        case "plan":
            return f"plan {says.name}: {_figures_words(says, units)}"
        case _:
            return f"{what} {says.name}"


def _figures_words(says: ProposalSays, units: Units) -> str:
    figures, money = says.figures, units.money
    if not figures:
        return "no figures"
    return (
        f"premium {money(says.premium_cents or 0)} if it is new, deductible {money(figures.deductible_cents)}, copay"
        f" {money(figures.copay_cents)}, coinsurance {figures.coinsurance_bp} bp, at most"
        f" {money(figures.oop_max_cents)} a year borne, waiting {figures.waiting_terms} terms"
    )


def _proposal(session: Session, text: str, member: str | None) -> ProposalWhole:
    """Return a proposal by its id, which may be longer than a record's, or first digits. Errors: `id`, `not_found`."""
    wanted = text.strip().lower()
    found = [item.proposal for item in session.view(PROPOSALS)]
    starting = [item for item in found if item.startswith(wanted)]
    if wanted not in found:
        is_one = len(starting) == 1 and len(wanted) >= ID_PREFIX_MIN
        wanted = starting[0] if is_one else full_id(text, lambda: found, "proposal")
    return session.view(PROPOSAL, id=wanted, member=member)


# ---- Acting --------------------------------------------------------------------------


@app.command(name="open")
def open_command(what: str, *, says: Says = NOTHING, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Make a proposal; you are its first sponsor.

    Try a parameter first: mutua rehearse --data-dir FOLDER --set NAME=VALUE.

    :param what: param, plan, list, demote, phase, expel, attester, verifier, provider, signer or protocol.
    """
    check_fields(what, says.given())
    session = common.session()
    _, body = session.member, body_of(session, what, says.given())
    words = in_words(what, read(ProposalSays, body), session.units)
    review = [
        f"you propose: {words}",
        "it opens when enough members sponsor it, and is voted on then; all members' nodes see that it is yours",
    ]
    if not send.is_confirmed(common, "proposal.open", review, "propose it?"):
        return say(common, {}, "nothing was sent")
    answer = session.client.submit("proposal.open", body)
    new = short(answer.record_id)
    then = f"others sponsor it: mutua proposal sponsor {new}; how many are needed: mutua proposal show {new}"
    return send.report(common, session, answer, f"proposed, {words}", then=then)


def check_fields(what: str, given: Mapping[str, Any]) -> None:
    """Raise MutuaError `usage` unless the kind exists, and what is given is what it takes."""
    if what not in FIELDS:
        raise MutuaError("usage", f"there is no kind of proposal {what!r}", f"one of {', '.join(FIELDS)}")
    needed, more = FIELDS[what]
    option = {name: f"--{name.replace('_', '-')}" for name in (*needed, *more, *given)}
    missing = [option[name] for name in needed if name not in given]
    strange = [option[name] for name in given if name not in (*needed, *more)]
    if missing or strange:
        fault = f"it lacks {', '.join(missing)}" if missing else f"it has no field {', '.join(strange)}"
        hint = f"it takes {', '.join(option[name] for name in (*needed, *more))}"
        raise MutuaError("usage", f"a proposal on {what}: {fault}", hint)


def body_of(session: Session, what: str, given: Mapping[str, Any]) -> Json:
    """Return the body of a proposal as the API takes it."""
    cents = {name: read_amount(session.units, str(given[name]), name) for name in AMOUNTS if name in given}
    fields = {"name": "", "system": "", "value": 0, "standard": False, "frequency": None, "change": "", "height": 0}
    body: Json = {
        "what": what,
        **{name: given.get(name, default) for name, default in fields.items()},
        "member": session.member_id(given["member"]) if "member" in given else "",
        "key": full_id(given["key"], lambda: (), "key") if "key" in given else "",
        "allowed_cents": cents.get("allowed"),
        "premium_cents": cents.get("premium", 0),
        "prior_cents": cents.get("prior"),
        "figures": None,
    }
    if what == "plan":
        limits = ("oop_max", "claim_ceiling", "year_ceiling")
        body["figures"] = {
            "from_day": 0,
            **{f"{name}_cents": cents.get(name, 0) for name in ("deductible", "copay")},
            **{f"{name}_cents": cents.get(name) for name in limits},
            **{name: given.get(name, 0) for name in ("coinsurance_bp", "waiting_terms")},
            "codes": list(given.get("code", ())),
        }
    return body


@app.command
def sponsor(proposal: ProposalId, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Sponsor a proposal: with the last needed sponsor it opens. Sponsoring is not voting."""
    session = common.session()
    item = _proposal(session, proposal, session.member)
    body, done = {"proposal": item.proposal}, f"proposal {short(item.proposal)} sponsored"
    review = _lines(item, session.units)
    return send.send(common, session, "proposal.sponsor", body, review=review, question="sponsor it?", done=done)


@app.command
def vote(proposal: ProposalId, choice: str, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Vote on a proposal; your last vote counts.

    :param choice: yes, no or abstain.
    """
    if choice not in CHOICES:
        raise MutuaError("usage", f"{choice!r} is not a valid choice", f"one of {', '.join(CHOICES)}")
    session = common.session()
    item = _proposal(session, proposal, session.member)
    review = [*_lines(item, session.units), "all members' nodes see your key and your vote"]
    body, done = {"proposal": item.proposal, "choice": choice}, f"voted {choice} on proposal {short(item.proposal)}"
    question = f"vote {choice}?"
    return send.send(common, session, "proposal.vote", body, review=review, question=question, done=done)
