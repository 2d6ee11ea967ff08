"""`mutua member …`: look up members, see who applies, apply, vouch, object, leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.cli.common import (
    DEFAULT,
    ID_DIGITS,
    Client,
    Common,
    Money,
    full_id,
    is_confirmed,
    own_member,
    percent,
    report_submission,
    say,
    short,
    table,
)
from node.cli.members.bundle import DEFAULT_SIGN, SignWith
from node.cli.unlocking import DEFAULT_PASSPHRASE, PassphraseFrom

app = App(name="member", help="Look up members, see who applies, apply, vouch, object, leave.")
app.command("node.cli.members.dependants:app", name="dependant", help="Covers of your dependants on your contract.")

Json = Mapping[str, Any]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]
REASON_SIZE_MAX = 280


@app.command(name="list")
def member_list(*, common: Common = DEFAULT) -> int:
    """List every member, past ones included."""
    members = common.client().view("members")
    return say(
        common,
        members,
        lambda: table(
            ("member", "household", "standing", "votes", "plan", "denied", "voted", "bar"),
            [
                (
                    short(item["member"]),
                    short(item["household"]),
                    item["standing"] if item["is_member"] else "left",
                    "yes" if item["may_vote"] else "no",
                    _plan_of(item),
                    item["denied"],
                    item["voted"],
                    percent(item["bar_bp"]),
                )
                for item in members
            ],
        ),
    )


def _plan_of(item: Json) -> object:
    return item["contract"]["plan"] if item.get("contract") else None


@app.command(name="show")
def member_show(key: str = "", *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show a member: contract, what is owed, voting record, bar.

    Parameters
    ----------
    key
        The member's key, or its first digits; yourself by default.

    """
    client = common.client()
    status = client.status()
    wanted = (
        full_id(key, lambda: (str(item["member"]) for item in client.view("members")), "member")
        if key
        else own_member(status)
    )
    answer = client.view("member", id=wanted)
    return say(common, answer, lambda: _member_lines(answer, Money.of(status)))


def _member_lines(item: Json, money: Money) -> Iterator[str]:
    yield f"member     {item['member']}"
    yield f"household  {item['household']}"
    kind = "founder" if item["is_founder"] else f"member since term {item['since_term']}"
    yield f"standing   {item['standing']}, {kind}, {'votes' if item['may_vote'] else 'does not vote now'}"
    credit = "" if item["has_credit"] else "; without a reviewer's credit"
    yield f"duties     {item['missed_duties']} missed in twelve terms{credit}"
    yield f"votes      denied {item['denied']} of the last {item['voted']}; own claims need {percent(item['bar_bp'])}"
    contract = item.get("contract")
    if contract:
        yield (
            f"contract   {contract['plan']}, {contract['length_terms']} terms from term {contract['first_term']}, until"
            f" block {contract['last_block']}"
        )
        yield f"premium    {money.show(contract['rate_cents'])} a term; owed {money.show(contract['owed_cents'])}"


# ---- Coming in -----------------------------------------------------------------


@app.command
def applications(*, common: Common = DEFAULT) -> int:
    """List who has applied, first come first, and what each still lacks."""
    client = common.client()
    found = client.view("applications")
    money = Money.of(client.status())
    return say(
        common,
        found,
        lambda: (
            table(
                ("applicant", "plan", "applied", "deposit", "vouchers", "objections", "until block", "earliest"),
                [
                    (
                        short(item["applicant"]),
                        item["plan"],
                        item["height"],
                        money.show(item["deposit_cents"]),
                        f"{len(item['vouchers'])} of {item['vouchers_needed']}",
                        f"{len(item['objectors'])} of {item['objections_end']}",
                        item["objections_until"],
                        item["earliest_boundary"],
                    )
                    for item in found
                ],
            )
            if found
            else ["nobody has applied"]
        ),
    )


@app.command
def attesters(*, common: Common = DEFAULT) -> int:
    """List who attests enrolments, who verifies providers, and who signs for the treasury."""
    answer = common.client().view("parties")
    return say(common, answer, lambda: _party_lines(answer))


def _party_lines(answer: Json) -> Iterator[str]:
    rows = [
        *(("attester", item["name"], item["key"]) for item in answer["attesters"]),
        *(("verifier", item["name"], item["key"]) for item in answer["verifiers"]),
        *(("signer", "–", key) for key in answer["signers"]),
    ]
    yield from table(("role", "name", "key"), rows) if rows else ["nobody is listed"]
    yield f"an application needs {answer['attesters_needed']} attesters" + (
        "; while fewer are listed the signers stand in" if answer["signers_attest"] else ""
    )
    if answer["signers"]:
        yield f"deposits, batches and confirmations need {answer['signers_needed']} of {len(answer['signers'])} signers"


@app.command
def apply(  # noqa: D417
    out: Path,
    *,
    plan: str,
    nullifier: str,
    deposit_commitment: str,
    terms: int = 1,
    household: str = "",
    deposit: str = "",
    payout_commitment: str = "",
    identity: str = "",
    cover: str = "",
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Draft an application, for attesters and signers to sign.

    It needs a node in step, of any member, and no membership.

    Who has no node asks a member to draft it, and says both keys (mutua init prints them): --identity and --cover.

    Then: attesters sign (mutua member attest-enrolment), signers see the deposit (mutua bundle attest --role deposit),
    you sign it whole (mutua bundle sign), and any member submits it (mutua bundle submit).

    Parameters
    ----------
    out
        The bundle to write; an existing file is never overwritten.
    plan
        The plan's name.
    nullifier
        The keyed hash of your civil identity, as the attesters compute it: 64 hex digits.
    deposit_commitment
        Hash that commits to the bitcoin deposit, as the signers gave it: 64 hex digits.
    terms
        1, 3, 6 or 12 terms; over one the rate is guaranteed.
    household
        The household you belong to; you alone by default.
    deposit
        What you deposited, at least one premium of the plan; one premium by default.
    payout_commitment
        Hash of the sealed addresses to which the deposit goes back.
    identity
        Your identity key; that of the data folder by default.
    cover
        Your cover key; that of the data folder by default.

    """
    from node.cli.members.bundle import write_draft
    from node.own.bundles import new_bundle

    client = common.client()
    status = client.status()
    plans = {str(item["name"]): item for item in client.view("plans")}
    if plan not in plans:
        raise MutuaError("not_found", f"there is no plan {plan!r}", f"plans: {', '.join(sorted(plans))}")
    if not identity or not cover:
        from node.cli.unlocking import unlock

        keys = unlock(common.config().folder, passphrase)
        identity, cover = identity or keys.identity_key.hex(), cover or keys.cover_key.hex()
    body = {
        "cover_id": _whole(cover, "cover"),
        "plan": plan,
        "contract_terms": terms,
        "household": household.encode().hex(),
        "nullifier": _whole(nullifier, "nullifier"),
        "deposit_cents": Money.of(status).read(deposit, "deposit") if deposit else int(plans[plan]["premium_cents"]),
        "deposit_commitment": _whole(deposit_commitment, "commitment"),
        "payout_commitment": payout_commitment,
    }
    chain_id = bytes.fromhex(str(status["chain_id"]))
    return write_draft(
        common, out, new_bundle(chain_id, "member.apply", body, bytes.fromhex(_whole(identity, "identity key")))
    )


def _whole(text: str, what: str) -> str:
    """Return 64 hex digits. MutuaError `id`."""
    if len(text.strip()) != ID_DIGITS:
        raise MutuaError("id", f"{text!r} is no {what}", f"give all its {ID_DIGITS} hex digits")
    return full_id(text, lambda: (), what)


@app.command(name="attest-enrolment")
def attest_enrolment(  # noqa: D417
    file: Path,
    *,
    sign: SignWith = DEFAULT_SIGN,
    yes: Yes = False,
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Sign, as an attester, that the applicant of a bundle is a person who is nobody else here. Needs no node.

    Parameters
    ----------
    file
        The application.
    yes
        Do not ask before signing.

    """
    from node.cli.members.bundle import attest
    from node.own.bundles import read_bundle

    kind = read_bundle(file).kind
    if kind != "member.apply":
        raise MutuaError(
            "bundle_role",
            f"{file} is no application but {kind}",
            "name an application: mutua bundle show says what a file is",
        )
    return attest(file, role="enrolment", sign=sign, yes=yes, passphrase=passphrase, common=common)


@app.command
def withdraw(  # noqa: D417
    out: Path, *, identity: str = "", passphrase: PassphraseFrom = DEFAULT_PASSPHRASE, common: Common = DEFAULT
) -> int:
    """Draft the withdrawal of your application; sign it whole (mutua bundle sign), any member submits it.

    The deposit goes back.

    Parameters
    ----------
    out
        The bundle to write; an existing file is never overwritten.
    identity
        Your identity key; that of the data folder by default.

    """
    from node.cli.members.bundle import write_draft
    from node.own.bundles import new_bundle

    status = common.client().status()
    if not identity:
        from node.cli.unlocking import unlock

        identity = unlock(common.config().folder, passphrase).identity_key.hex()
    author = bytes.fromhex(_whole(identity, "identity key"))
    return write_draft(common, out, new_bundle(bytes.fromhex(str(status["chain_id"])), "member.withdraw", {}, author))


def _applicant(client: Client, text: str) -> Json:
    """Return the application that an applicant's key, or its first digits, names. MutuaError `not_found`."""
    found = client.view("applications")
    key = full_id(text, lambda: (str(item["applicant"]) for item in found), "applicant")
    for item in found:
        if item["applicant"] == key:
            return dict(item)
    raise MutuaError("not_found", f"{short(key)} has not applied", "see who has: mutua member applications")


@app.command
def vouch(applicant: str, *, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Vouch for an applicant whom you know. You never vote on their claims afterwards. Twice a term at most.

    Parameters
    ----------
    applicant
        The applicant's key, or its first digits.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    own_member(client.status())
    item = _applicant(client, applicant)
    review = [
        f"applicant {item['applicant']}, plan {item['plan']}, applied in block {item['height']}",
        (
            f"{len(item['vouchers'])} of {item['vouchers_needed']} vouchers, {len(item['objectors'])} of"
            f" {item['objections_end']} objections"
        ),
        "all members' nodes see that you vouch; you will not vote on claims of whom you vouched for",
    ]
    if not is_confirmed(common, yes=yes, review=review, question="vouch?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("member.vouch", {"applicant": item["applicant"]})
    return report_submission(common, client, answer, f"vouched for {short(item['applicant'])}", wait)


@app.command(name="object")
def object_command(  # noqa: D417
    applicant: str, reason: str, *, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT
) -> int:
    """Object to an applicant. Enough objections within 30 blocks end the application.

    Parameters
    ----------
    applicant
        The applicant's key, or its first digits.
    reason
        Why, in a few words. Members' nodes see them: accuse nobody, name no illness.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    if not reason.strip() or len(reason) > REASON_SIZE_MAX:
        raise MutuaError("usage", f"the reason has {len(reason)} characters", f"give 1 to {REASON_SIZE_MAX}")
    client = common.client()
    own_member(client.status())
    item = _applicant(client, applicant)
    review = [
        f"applicant {item['applicant']}, plan {item['plan']}, applied in block {item['height']}",
        (
            f"{len(item['objectors'])} of {item['objections_end']} objections; heard until block"
            f" {item['objections_until']}"
        ),
        "all members' nodes see your key and your reason",
    ]
    if not is_confirmed(common, yes=yes, review=review, question="object?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("member.object", {"applicant": item["applicant"], "reason": reason})
    return report_submission(common, client, answer, f"objected to {short(item['applicant'])}", wait)


@app.command
def leave(*, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Give notice: cover and membership end with the next full term, whatever the contract. It cannot be taken back.

    Parameters
    ----------
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    status = client.status()
    own = own_member(status)
    item = client.view("member", id=own)
    money = Money.of(status)
    owed = item["contract"]["owed_cents"] if item.get("contract") else 0
    term = int(status["term"])
    review = [
        f"cover and membership end with term {term + 1}, block {30 * (term + 2)}, if it is final in this term",
        f"owed now: {money.show(owed)}; a deposit goes back less what is owed then",
        "notice cannot be taken back; you may return by applying",
    ]
    if not is_confirmed(common, yes=yes, review=review, question="leave the co-op?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("member.leave", {})
    return report_submission(common, client, answer, "notice given", wait)
