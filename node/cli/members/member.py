"""`mutua member …`: look up members, see who applies, apply, vouch, object, leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.text import Units, percent, short
from node.api.views.coop import PARTIES, PLANS, Parties
from node.api.views.members import APPLICATIONS, MEMBER, MEMBERS, Application, Member
from node.cli.common import (
    ASK,
    DEFAULT,
    SEND,
    Asking,
    Common,
    NewBundle,
    Row,
    Sending,
    Session,
    Whole,
    full_id,
    plan_named,
    read_amount,
    say,
    table,
    whole_key,
)
from node.cli.members.bundle import DEFAULT_SIGN, SignWith
from node.cli.unlocking import DEFAULT_PASSPHRASE, PassphraseFrom

app = App(name="member", help="Look up members, see who applies, apply, vouch, object, leave.")
app.command("node.cli.members.dependants:app", name="dependant", help="Covers of your dependants on your contract.")

REASON_SIZE_MAX = 280
ApplicantKey = Annotated[str, Parameter(help="The applicant's key, or its first digits.")]


@app.command(name="list")
def member_list(*, common: Common = DEFAULT) -> int:
    """List every member, past ones included."""
    members = common.session().view(MEMBERS)
    heads = ("member", "household", "standing", "votes", "plan", "denied", "voted", "threshold")

    def row(item: Member) -> Row:
        standing, votes = item.standing if item.is_member else "left", "yes" if item.may_vote else "no"
        plan, bar = item.contract.plan if item.contract else None, percent(item.bar_bp)
        return short(item.member), short(item.household), standing, votes, plan, item.denied, item.voted, bar

    return say(common, members, lambda: table(heads, map(row, members)))


@app.command(name="show")
def member_show(key: str = "", *, common: Common = DEFAULT) -> int:
    """Show a member: contract, what is owed, voting record, approval threshold.

    :param key: The member's key, or its first digits; yourself by default.
    """
    session = common.session()
    answer = session.view(MEMBER, id=session.member_or(key))
    return say(common, answer, lambda: _member_lines(answer, session.units))


def _member_lines(item: Member, units: Units) -> Iterator[str]:
    yield f"member     {item.member}"
    yield f"household  {item.household}"
    kind = "founder" if item.is_founder else f"member since term {item.since_term}"
    yield f"standing   {item.standing}, {kind}, {'votes' if item.may_vote else 'does not vote now'}"
    credit = "" if item.has_credit else "; without a reviewer's credit"
    yield f"duties     {item.missed_duties} missed in twelve terms{credit}"
    yield f"votes      denied {item.denied} of the last {item.voted}; own claims need {percent(item.bar_bp)}"
    row = item.contract
    if row:
        last = f"until block {row.last_block}"
        yield f"contract   {row.plan}, {row.length_terms} terms from term {row.first_term}, {last}"
        yield f"premium    {units.money(row.rate_cents)} a term; owed {units.money(row.owed_cents)}"


# ---- Coming in -----------------------------------------------------------------


@app.command
def applications(*, common: Common = DEFAULT) -> int:
    """List the applications, oldest first, with what each one still needs."""
    session = common.session()
    found = session.view(APPLICATIONS)
    heads = ("applicant", "plan", "applied", "deposit", "vouched", "objections", "until block", "earliest")

    def row(item: Application) -> Row:
        deposit = session.units.money(item.deposit_cents)
        vouched, objected = _of(item.vouchers, item.vouchers_needed), _of(item.objectors, item.objections_end)
        ends = item.objections_until, item.earliest_boundary
        return short(item.applicant), item.plan, item.height, deposit, vouched, objected, *ends

    return say(common, found, lambda: table(heads, map(row, found), "nobody has applied"))


def _of(given: Sequence[str], needed: int) -> str:
    return f"{len(given)} of {needed}"


@app.command
def attesters(*, common: Common = DEFAULT) -> int:
    """List who attests enrolments, who verifies providers, and who signs for the treasury."""
    answer = common.session().view(PARTIES)
    return say(common, answer, lambda: _party_lines(answer))


def _party_lines(answer: Parties) -> Iterator[str]:
    rows = [
        *(("attester", item.name, item.key) for item in answer.attesters),
        *(("verifier", item.name, item.key) for item in answer.verifiers),
        *(("signer", "–", key) for key in answer.signers),
    ]
    yield from table(("role", "name", "key"), rows, "nobody is listed")
    yield f"an application needs {answer.attesters_needed} attesters" + (
        "; while fewer are listed the signers stand in" if answer.signers_attest else ""
    )
    if answer.signers:
        yield f"deposits, batches and confirmations need {answer.signers_needed} of {len(answer.signers)} signers"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Applicant:
    """Who applies, and with what deposit."""

    household: Annotated[str, Parameter(help="The household you belong to; you alone by default.")] = ""
    deposit: Annotated[
        str, Parameter(help="What you deposited, at least one premium of the plan; one premium by default.")
    ] = ""
    payout_commitment: Annotated[
        str, Parameter(help="Hash of the sealed addresses to which the deposit is returned.")
    ] = ""
    identity: Annotated[str, Parameter(help="Your identity key; that of the data folder by default.")] = ""
    cover: Annotated[str, Parameter(help="Your cover key; that of the data folder by default.")] = ""

    def keys(self, common: Common, passphrase: PassphraseFrom) -> tuple[str, str]:
        """Return identity and cover key: those given, else those of the data folder."""
        from node.cli.unlocking import unlock

        identity, cover = self.identity, self.cover
        if not identity or not cover:
            ring = unlock(common.config().folder, passphrase)
            identity, cover = identity or ring.identity_key.hex(), cover or ring.cover_key.hex()
        return whole_key(identity, "the identity"), whole_key(cover, "a cover")


ALONE = Applicant()


@app.command
def apply(
    out: NewBundle,
    *,
    plan: str,
    nullifier: str,
    deposit_commitment: str,
    terms: Whole = 1,
    applicant: Applicant = ALONE,
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Draft an application, for attesters and signers to sign.

    You need access to any member's node that is in sync, but no membership.

    If you have no node, ask a member to draft it and give them both keys (mutua init prints them): --identity and
    --cover.

    Then: attesters sign (mutua member attest-enrolment), signers see the deposit (mutua bundle attest --role deposit),
    you sign it (mutua bundle sign), and any member submits it (mutua bundle submit).

    :param plan: The plan's name.
    :param nullifier: The keyed hash of your civil identity, as the attesters compute it: 64 hex digits.
    :param deposit_commitment: Hash that commits to the bitcoin deposit, as the signers gave it: 64 hex digits.
    :param terms: 1, 3, 6 or 12 terms; over one the rate is guaranteed.
    """
    from node.cli.members.bundle import draft

    session = common.session()
    premium, deposit = plan_named(session.view(PLANS), plan).premium_cents, applicant.deposit
    identity, cover = applicant.keys(common, passphrase)
    body = {
        "cover_id": cover,
        "plan": plan,
        "contract_terms": terms,
        "household": applicant.household.encode().hex(),
        "nullifier": whole_key(nullifier, "the nullifier"),
        "deposit_cents": read_amount(session.units, deposit, "deposit") if deposit else premium,
        "deposit_commitment": whole_key(deposit_commitment, "the commitment"),
        "payout_commitment": applicant.payout_commitment,
    }
    return draft(common, session, out, "member.apply", body, author=identity)


@app.command(name="attest-enrolment")
def attest_enrolment(
    file: Path,
    *,
    sign: SignWith = DEFAULT_SIGN,
    ask: Asking = ASK,
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Sign, as an attester, that the applicant is not already a member under another key. Needs no node.

    :param file: The application.
    """
    from node.cli.members.bundle import attest
    from node.own.bundles import read_bundle

    kind = read_bundle(file).kind
    if kind != "member.apply":
        hint = "name an application: mutua bundle show says what a file is"
        raise MutuaError("bundle_role", f"{file} is not an application but {kind}", hint)
    return attest(file, role="enrolment", sign=sign, ask=ask, passphrase=passphrase, common=common)


@app.command
def withdraw(
    out: NewBundle, *, identity: str = "", passphrase: PassphraseFrom = DEFAULT_PASSPHRASE, common: Common = DEFAULT
) -> int:
    """Draft the withdrawal of your application. Sign it (mutua bundle sign); any member can submit it.

    Your deposit is returned.

    :param identity: Your identity key; that of the data folder by default.
    """
    from node.cli.members.bundle import draft

    session = common.session()
    if not identity:
        from node.cli.unlocking import unlock

        identity = unlock(common.config().folder, passphrase).identity_key.hex()
    return draft(common, session, out, "member.withdraw", {}, author=whole_key(identity, "the identity"))


def _applicant(session: Session, text: str) -> Application:
    """Return the application that an applicant's key, or its first digits, names. MutuaError `not_found`."""
    found = {item.applicant: item for item in session.view(APPLICATIONS)}
    key = full_id(text, lambda: found, "applicant")
    if key not in found:
        raise MutuaError("not_found", f"{short(key)} has not applied", "see who has: mutua member applications")
    return found[key]


@app.command
def vouch(applicant: ApplicantKey, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Vouch for an applicant whom you know. You never vote on their claims afterwards. Twice a term at most."""
    session = common.session()
    _ = session.member
    item = _applicant(session, applicant)
    vouched = f"{len(item.vouchers)} of {item.vouchers_needed} members have vouched"
    review = [
        f"applicant {item.applicant}, plan {item.plan}, applied in block {item.height}",
        f"{vouched}, {len(item.objectors)} of {item.objections_end} objections",
        "all members' nodes see that you vouch; you will never vote on the claims of members you vouched for",
    ]
    body, done = {"applicant": item.applicant}, f"vouched for {short(item.applicant)}"
    return send.send(common, session, "member.vouch", body, review=review, question="vouch?", done=done)


@app.command(name="object")
def object_command(applicant: ApplicantKey, reason: str, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Object to an applicant. Enough objections within 30 blocks end the application.

    :param reason: Why, in a few words. Members' nodes see them: accuse nobody, name no illness.
    """
    if not reason.strip() or len(reason) > REASON_SIZE_MAX:
        raise MutuaError("usage", f"the reason has {len(reason)} characters", f"give 1 to {REASON_SIZE_MAX}")
    session = common.session()
    _ = session.member
    item = _applicant(session, applicant)
    objections = f"{len(item.objectors)} of {item.objections_end} objections"
    review = [
        f"applicant {item.applicant}, plan {item.plan}, applied in block {item.height}",
        f"{objections}; heard until block {item.objections_until}",
        "all members' nodes see your key and your reason",
    ]
    body, done = {"applicant": item.applicant, "reason": reason}, f"objected to {short(item.applicant)}"
    return send.send(common, session, "member.object", body, review=review, question="object?", done=done)


@app.command
def leave(*, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Give notice: cover and membership end with the next full term, whatever the contract. It cannot be withdrawn."""
    session = common.session()
    row = session.view(MEMBER, id=session.member).contract
    term, owed = session.status.term, session.units.money(row.owed_cents if row else 0)
    review = [
        f"cover and membership end with term {term + 1}, block {30 * (term + 2)}, if it is final in this term",
        f"owed now: {owed}; a deposit is returned less what is owed then",
        "notice cannot be withdrawn; to return, you have to apply again",
    ]
    question = "leave the co-op?"
    return send.send(common, session, "member.leave", {}, review=review, question=question, done="notice given")
