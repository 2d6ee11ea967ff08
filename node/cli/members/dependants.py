"""`mutua member dependant list | add | end`: covers of your dependants on your contract (rules §2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.client import Client
from node.cli.common import (
    DEFAULT,
    Common,
    Money,
    full_id,
    is_confirmed,
    own_member,
    report_submission,
    say,
    short,
    table,
)
from node.cli.members.keys import whole_key

app = App(name="dependant", help="Covers of your dependants on your contract.")

Json = Mapping[str, Any]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List your dependants' covers, those that ended within twelve terms included."""
    client = common.client()
    status = client.status()
    found = client.view("dependants", member=own_member(status))
    money = Money.of(status)
    return say(
        common,
        found,
        lambda: (
            table(
                ("cover", "standing", "from day", "waiting until", "last day", "a term"),
                [
                    (
                        item["cover_id"],
                        item["standing"],
                        item["first_day"],
                        item["waiting_last_day"] or None,
                        item["last_day"],
                        money.show(item["rate_cents"]),
                    )
                    for item in found
                ],
            )
            if found
            else ["no dependants"]
        ),
    )


@app.command
def add(  # noqa: D417
    *, cover: str = "", out: Path | None = None, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT
) -> int:
    """Put a dependant on your contract, from the next term on. This node makes the key and keeps it with its own.

    Parameters
    ----------
    cover
        A cover key that was made elsewhere: 64 hex digits; with --out.
    out
        With --cover: the bundle to write, for that key to sign: mutua bundle attest FILE; then mutua bundle submit
        FILE.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    status = client.status()
    member = own_member(status)
    if bool(cover) != (out is not None):
        raise MutuaError("usage", "--cover and --out go together", "leave both out and this node makes the key")
    if out is not None:
        from node.cli.members.bundle import write_draft
        from node.own.bundles import new_bundle

        body = {"cover": whole_key(cover, "a dependant's cover")}
        return write_draft(
            common, out, new_bundle(bytes.fromhex(str(status["chain_id"])), "cover.add", body, bytes.fromhex(member))
        )
    review = [
        "one more is insured on your contract from the next term on, and your premium rises by a share of the plan's"
    ]
    if not is_confirmed(common, yes=yes, review=review, question="add a dependant?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("cover.add", {})
    return report_submission(
        common,
        client,
        answer,
        "dependant added",
        wait,
        then=(
            "mutua member dependant list names the cover; its share is due with your premium, and unpaid it ends your"
            " cover too"
        ),
    )


@app.command
def end(cover: str, *, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Give notice for a dependant: the cover ends with the next full term.

    Parameters
    ----------
    cover
        The dependant's cover key, or its first digits.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    wanted = dependant_cover(client, own_member(client.status()), cover)
    review = [f"cover {short(wanted)} ends with the next full term; this key is never insured again"]
    if not is_confirmed(common, yes=yes, review=review, question="give notice?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("cover.end", {"cover": wanted})
    return report_submission(common, client, answer, f"notice for cover {short(wanted)}", wait)


def dependant_cover(client: Client, member: str, text: str) -> str:
    """Return the whole cover key of one of a member's dependants."""
    return full_id(
        text, lambda: (str(item["cover_id"]) for item in client.view("dependants", member=member)), "dependant's cover"
    )
