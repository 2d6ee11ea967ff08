"""`mutua member dependant list | add | end`: covers of your dependants on your contract (rules §2)."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ledger.errors import MutuaError
from node.api.text import short
from node.api.views.members import DEPENDANTS, Dependant
from node.cli.common import DEFAULT, SEND, Common, Row, Sending, Session, full_id, say, table, whole_key

app = App(name="dependant", help="Covers of your dependants on your contract.")


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List your dependants' covers, those that ended within twelve terms included."""
    session = common.session()
    found = session.view(DEPENDANTS, member=session.member)
    heads = ("cover", "standing", "from day", "waiting until", "last day", "a term")

    def row(item: Dependant) -> Row:
        day, share = session.units.day, session.units.money(item.rate_cents)
        return (
            item.cover_id,
            item.standing,
            *map(day, (item.first_day, item.waiting_last_day or None, item.last_day)),
            share,
        )

    return say(common, found, lambda: table(heads, map(row, found), "no dependants"))


@app.command
def add(*, cover: str = "", out: Path | None = None, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Put a dependant on your contract, from the next term on. This node makes the key and keeps it with its own.

    :param cover: A cover key that was made elsewhere: 64 hex digits; with --out.
    :param out: With --cover: the bundle to write, for that key to sign: mutua bundle attest FILE; then mutua bundle
        submit FILE.
    """
    session = common.session()
    member = session.member
    if bool(cover) != (out is not None):
        raise MutuaError("usage", "--cover and --out go together", "leave both out and this node makes the key")
    if out is not None:
        from node.cli.members.bundle import draft

        return draft(
            common, session, out, "cover.add", {"cover": whole_key(cover, "a dependant's cover")}, author=member
        )
    review = [
        "one more is insured on your contract from the next term on, and your premium rises by a share of the plan's"
    ]
    if not send.is_confirmed(common, "cover.add", review, "add a dependant?"):
        return say(common, {}, "nothing was sent")
    then = (
        "mutua member dependant list names the cover; its share is due with your premium, and unpaid it ends your"
        " cover too"
    )
    return send.report(common, session, session.client.submit("cover.add", {}), "dependant added", then=then)


@app.command
def end(cover: str, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Give notice for a dependant: the cover ends with the next full term.

    :param cover: The dependant's cover key, or its first digits.
    """
    session = common.session()
    wanted = dependant_cover(session, cover)
    review = [f"cover {short(wanted)} ends with the next full term; this key cannot be insured again"]
    body, done = {"cover": wanted}, f"notice for cover {short(wanted)}"
    return send.send(common, session, "cover.end", body, review=review, question="give notice?", done=done)


def dependant_cover(session: Session, text: str) -> str:
    """Return the whole cover key of one of this member's dependants."""
    member = session.member
    return full_id(
        text, lambda: (item.cover_id for item in session.view(DEPENDANTS, member=member)), "dependant's cover"
    )
