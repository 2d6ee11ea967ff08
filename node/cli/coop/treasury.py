"""`mutua treasury show | quote | premium`.

The money of the co-op, what a bitcoin costs, and deposits of members (rules §3, §11).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.cli.common import (
    DEFAULT,
    Common,
    Money,
    is_confirmed,
    member_id,
    own_member,
    report_submission,
    say,
    short,
    table,
)

app = App(name="treasury", help="The co-op's money, quotes of what a bitcoin costs, and deposits of members.")

TXID_DIGITS = 64
SALT_SIZE = 16
BATCHES_SHOWN = 5
Json = Mapping[str, Any]


@app.command
def show(*, common: Common = DEFAULT) -> int:
    """Show balances, what is owed both ways, the rate, the signers and the newest batches."""
    client = common.client()
    coop = client.view("coop")
    answer = {
        "coop": coop,
        "treasury": _or_none(client, "treasury"),
        "owed": client.view("owed"),
        "owing": client.view("owing"),
        "unsent": client.view("unsent"),
        "batches": client.view("batches")[-BATCHES_SHOWN:],
    }
    return say(common, answer, lambda: _lines(answer, Money.of(client.status())))


def _or_none(client: Any, name: str) -> Any:
    from node.api.errors import ApiError

    try:
        return client.view(name)
    except ApiError as error:
        if error.code != "not_found":
            raise
        return None


def _lines(answer: Json, money: Money) -> Iterator[str]:
    coop, box = answer["coop"], answer["treasury"]
    yield f"claims     {money.show(coop['claims_cents'])}"
    yield (
        f"reserve    {money.show(coop['reserve_cents'])}; premiums of a year {money.show(coop['annual_premium_cents'])}"
    )
    yield (
        f"rate       {money.show(coop['rate'])} a bitcoin"
        if coop["rate"]
        else "rate       none yet: payouts wait for a quote"
    )
    yield f"owed       {money.show(coop['owed_cents'])} to members, in {len(answer['owed'])} payouts"
    owing = sum(int(item["owed_cents"]) for item in answer["owing"])
    yield f"premiums   {money.show(owing)} due from {len(answer['owing'])} members"
    if box is None:
        yield "bitcoin    no treasury in the charter"
        return
    yield (
        f"bitcoin    {box['network']}; {box['threshold']} of {len(box['signers'])} signers; next coin"
        f" {box['baton_sat']:,} sat"
    )
    yield (
        f"unsent     {sum(int(item['left_sat']) for item in answer['unsent']):,} sat of {len(answer['unsent'])}"
        " payments"
    )
    if answer["batches"]:
        yield from table(
            ("batch", "block", "payouts", "fee sat", "confirmations"),
            [
                (
                    short(item["unsigned_txid"]),
                    item["height"],
                    len(item["payouts"]),
                    item["fee_sat"],
                    item["confirmations"],
                )
                for item in answer["batches"]
            ],
        )


@app.command
def quote(  # noqa: D417
    rate: str,
    *,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="")] = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Quote what one bitcoin costs, as a member of the committee. The rate is the lower median of a block's quotes.

    Parameters
    ----------
    rate
        The price of one bitcoin in the co-op's currency, such as 64000.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    status = client.status()
    own_member(status)
    money = Money.of(status)
    units = money.read(rate, "rate")
    now = client.view("coop")["rate"]
    review = [
        f"one bitcoin costs {money.show(units)}; the rate in force is {money.show(now)}",
        "the rate moves by a tenth a block at most; payouts are converted at it",
    ]
    if not is_confirmed(common, yes=yes, review=review, question="quote this?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("rate.quote", {"rate": units})
    return report_submission(common, client, answer, f"quoted {money.show(units)} a bitcoin", wait)


@app.command
def premium(member: str, out: Path, *, deposit: str = "", commitment: str = "", common: Common = DEFAULT) -> int:  # noqa: D417
    """Draft the record of a member's premium for the signers to attest: mutua bundle attest, then mutua bundle submit.

    The ledger gets a commitment to the deposit and never says which coin it was. Tell the other signers the salt that
    this prints, so that each can compute the commitment before signing.

    Parameters
    ----------
    member
        Who paid: a member's key, or its first digits.
    out
        The bundle to write; an existing file is never overwritten.
    deposit
        The deposit: transaction id and output, as TXID:0.
    commitment
        Instead, a commitment that another signer computed: 64 hex digits.

    """
    from node.cli.members.bundle import bundle_summary, summary_lines
    from node.own.bundles import new_bundle, write_bundle

    if bool(deposit) == bool(commitment):
        raise MutuaError(
            "usage", "the deposit is missing, or given twice", "give --deposit TXID:OUTPUT or --commitment HEX"
        )
    client = common.client()
    status = client.status()
    key = member_id(client, member)
    owed = next((item for item in client.view("owing") if item["member"] == key), None)
    owed_cents = owed["owed_cents"] if owed else 0
    salt = secrets.token_bytes(SALT_SIZE)
    digest = _commitment(deposit, salt) if deposit else _hex(commitment, TXID_DIGITS, "the commitment")
    body = {"member": key, "amount_cents": owed_cents, "commitment": digest.hex()}
    bundle = new_bundle(bytes.fromhex(str(status["chain_id"])), "premium.paid", body)
    write_bundle(out, bundle, is_new=True)
    answer = {
        **bundle_summary(out, bundle),
        "owed_cents": owed_cents,
        "deposit": deposit or None,
        "salt": salt.hex() if deposit else None,
    }
    return say(common, answer, lambda: _premium_lines(answer, Money.of(status), summary_lines(answer)))


def deposit_commitment(txid: bytes, vout: int, salt: bytes) -> bytes:
    """Return the 32-byte commitment to a deposit.

    SHA-256, tagged, over salt (16 bytes), transaction id and output (4 bytes).
    """
    from ledger.hashing import tagged_hash

    return tagged_hash("deposit", salt, txid, vout.to_bytes(4, "big"))


def _commitment(text: str, salt: bytes) -> bytes:
    txid, _, vout = text.partition(":")
    if not vout.isascii() or not vout.isdigit() or len(vout) > 9:
        raise MutuaError("usage", f"{text!r} names no output", "write the deposit as TXID:OUTPUT, such as 6f…:0")
    return deposit_commitment(_hex(txid, TXID_DIGITS, "the transaction id"), int(vout), salt)


def _hex(text: str, digits: int, name: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(text) != digits or len(value) * 2 != digits:
        raise MutuaError("usage", f"{name} is not {digits} hex digits", "give it whole, as it was shown")
    return value


def _premium_lines(answer: Json, money: Money, lines: Iterator[str]) -> Iterator[str]:
    yield f"{answer['file']} written; the member owes {money.show(answer['owed_cents'])}"
    if answer["salt"]:
        yield f"tell the other signers: deposit {answer['deposit']}, salt {answer['salt']}"
    yield from lines
