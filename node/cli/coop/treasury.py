"""`mutua treasury show | quote | premium`: the co-op's money, what a bitcoin costs, deposits (rules §3, §11)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from cyclopts import App

from ledger.errors import MutuaError
from node.api.errors import ApiError
from node.api.text import Units, counted, hex_bytes, read_whole, short
from node.api.views import money as views
from node.api.views.coop import COOP, Coop
from node.cli.common import DEFAULT, SEND, Common, NewBundle, Sending, Session, read_amount, say, table

app = App(name="treasury", help="The co-op's money, quotes of what a bitcoin costs, and deposits of members.")

TXID_DIGITS = 64
SALT_SIZE = 16
BATCHES_SHOWN = 5
Json = dict[str, Any]


@app.command
def show(*, common: Common = DEFAULT) -> int:
    """Show balances, what is owed both ways, the rate, the signers and the newest batches."""
    session = common.session()
    coop, box = session.view(COOP), _treasury_or_none(session)
    owed, owing, unsent = session.view(views.OWED), session.view(views.OWING), session.view(views.UNSENT)
    batches = session.view(views.BATCHES)[-BATCHES_SHOWN:]
    answer = {"coop": coop, "treasury": box, "owed": owed, "owing": owing, "unsent": unsent, "batches": batches}

    def lines() -> Iterator[str]:
        money = session.units.money
        yield from _balance_lines(coop, session.units)
        yield f"owed       {money(coop.owed_cents)} to members, in {counted(len(owed), 'payout')}"
        yield f"premiums   {money(sum(item.owed_cents for item in owing))} due from {counted(len(owing), 'member')}"
        if box is None:
            yield "bitcoin    no treasury in the charter"
            return
        signers = f"{box.threshold} of {len(box.signers)} signers"
        yield f"bitcoin    {box.network}; {signers}; the treasury outpoint holds {box.baton_sat:,} sat"
        yield f"unsent     {sum(item.left_sat for item in unsent):,} sat of {counted(len(unsent), 'payment')}"
        if batches:
            yield from _batch_table(batches)

    return say(common, answer, lines)


def _treasury_or_none(session: Session) -> views.Treasury | None:
    try:
        return session.view(views.TREASURY)
    except ApiError as error:
        if error.code != "not_found":
            raise
        return None


def _balance_lines(coop: Coop, units: Units) -> Iterator[str]:
    money = units.money
    yield f"claims     {money(coop.claims_cents)}"
    yield f"reserve    {money(coop.reserve_cents)}; annual premium {money(coop.annual_premium_cents)}"
    rate = f"{money(coop.rate)} a bitcoin" if coop.rate else "none yet: payouts wait for a quote"
    yield f"rate       {rate}"


def _batch_table(batches: tuple[views.Batch, ...]) -> list[str]:
    heads = ("batch", "block", "payouts", "fee sat", "confirmations")
    rows = [(short(row.unsigned_txid), row.height, len(row.payouts), row.fee_sat, row.confirmations) for row in batches]
    return table(heads, rows)


@app.command
def quote(rate: str, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Quote what one bitcoin costs, as a member of the committee. The rate is the lower median of a block's quotes.

    :param rate: The price of one bitcoin in the co-op's currency, such as 64000.
    """
    session = common.session()
    _, money = session.member, session.units.money
    amount = read_amount(session.units, rate, "rate")
    review = [
        f"one bitcoin costs {money(amount)}; the rate in force is {money(session.view(COOP).rate)}",
        "the rate moves by a tenth a block at most; payouts are converted at it",
    ]
    done = f"quoted {money(amount)} a bitcoin"
    return send.send(common, session, "rate.quote", {"rate": amount}, review=review, question="quote this?", done=done)


@app.command
def premium(member: str, out: NewBundle, *, deposit: str = "", commitment: str = "", common: Common = DEFAULT) -> int:
    """Draft the record of a member's premium for the signers to attest: mutua bundle attest, then mutua bundle submit.

    The ledger gets a commitment to the deposit and never says which bitcoin output it was. Tell the other signers the
    salt that this prints, so that each can compute the commitment before signing.

    :param member: Who paid: a member's key, or its first digits.
    :param deposit: The deposit: transaction id and output, as TXID:0.
    :param commitment: Instead, a commitment that another signer computed: 64 hex digits.
    """
    from node.cli.members.bundle import bundle_summary, summary_lines
    from node.own.bundles import new_bundle, write_bundle

    if bool(deposit) == bool(commitment):
        what = "the deposit is missing, or given twice"
        raise MutuaError("usage", what, "give --deposit TXID:OUTPUT or --commitment HEX")
    session = common.session()
    key = session.member_id(member)
    owed_cents = next((item.owed_cents for item in session.view(views.OWING) if item.member == key), 0)
    salt = secrets.token_bytes(SALT_SIZE)
    digest = _commitment(deposit, salt) if deposit else _hex(commitment, TXID_DIGITS, "the commitment")
    body = {"member": key, "amount_cents": owed_cents, "commitment": digest.hex()}
    bundle = new_bundle(session.chain_id, "premium.paid", body)
    write_bundle(out, bundle, is_new=True)
    answer = {
        **bundle_summary(out, bundle),
        "owed_cents": owed_cents,
        "deposit": deposit or None,
        "salt": salt.hex() if deposit else None,
    }
    return say(common, answer, lambda: _premium_lines(answer, session.units, summary_lines(answer)))


def deposit_commitment(txid: bytes, vout: int, salt: bytes) -> bytes:
    """Return the 32-byte commitment: SHA-256, tagged, over salt (16 bytes), transaction id, output (4 bytes)."""
    from ledger.hashing import tagged_hash

    return tagged_hash("deposit", salt, txid, vout.to_bytes(4, "big"))


def _commitment(text: str, salt: bytes) -> bytes:
    txid, _, place = text.partition(":")
    vout = read_whole(place)
    if vout is None or not 0 <= vout < 2**32:
        raise MutuaError("usage", f"{text!r} names no output", "write the deposit as TXID:OUTPUT, such as 6f…:0")
    return deposit_commitment(_hex(txid, TXID_DIGITS, "the transaction id"), vout, salt)


def _hex(text: str, digits: int, name: str) -> bytes:
    value = hex_bytes(text)
    if len(text) != digits or len(value) * 2 != digits:
        raise MutuaError("usage", f"{name} is not {digits} hex digits", "give it in full, as it was shown")
    return value


def _premium_lines(answer: Json, units: Units, lines: Iterator[str]) -> Iterator[str]:
    yield f"{answer['file']} written; the member owes {units.money(answer['owed_cents'])}"
    if answer["salt"]:
        yield f"tell the other signers: deposit {answer['deposit']}, salt {answer['salt']}"
    yield from lines
