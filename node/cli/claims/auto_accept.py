"""`mutua vote auto list | add | replace | revoke`.

Standing rules by which the member's own node accepts cases in block s+1.

A rule can only say yes. The ballot names the hash of the rule and nothing else of it; it counts for the case, never as
an opened one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.cli.common import DEFAULT, Common, Money, is_confirmed, own_member, provider_key, say, short, table

app = App(name="auto", help="Standing rules by which your node accepts cases by itself.")

Json = Mapping[str, Any]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]
Words = Annotated[list[str] | None, Parameter(negative="")]


@app.command(name="list")
def list_command(*, all: Annotated[bool, Parameter(negative="")] = False, common: Common = DEFAULT) -> int:  # noqa: A002, D417
    """List your standing rules.

    Parameters
    ----------
    all
        Every version, replaced and revoked ones too: by which words was a ballot cast?

    """
    client = common.client()
    money = Money.of(client.status())
    rules = client.auto_rules()
    if not all:
        newest = {str(item["name"]): item for item in rules}
        rules = [item for item in newest.values() if not item["is_revoked"]]
    return say(common, rules, lambda: _table(rules, money))


def _table(rules: Sequence[Json], money: Money) -> Iterator[str]:
    if not rules:
        yield "no standing rules; your node casts nothing by itself"
        return
    yield from table(
        ("rule", "version", "codes", "charges up to", "providers", "hash"),
        [
            (
                item["name"],
                f"{item['version']}{' revoked' if item['is_revoked'] else ''}",
                " ".join(item["codes"]),
                money.show(item["charge_max_cents"]),
                " ".join(map(short, item["providers"])) or "any",
                short(item["rule_hash"]),
            )
            for item in rules
        ],
    )


@app.command
def add(  # noqa: D417
    name: str,
    *,
    code: Words = None,
    charge_max: str,
    provider: Words = None,
    yes: Yes = False,
    common: Common = DEFAULT,
) -> int:
    """Add a standing rule. From the next block on your node accepts what it says; it never denies by itself.

    Parameters
    ----------
    name
        A name for the rule, for yourself.
    code
        A code to accept; may be repeated.
    charge_max
        Accept cases with charges up to this amount, such as 120.
    provider
        Only of this provider: its identifier in the charter, or its key; may be repeated. Any provider by default.
    yes
        Do not ask before.

    """
    return _put(common, "add", name, code, charge_max, provider, yes=yes)


@app.command
def replace(  # noqa: D417
    name: str,
    *,
    code: Words = None,
    charge_max: str,
    provider: Words = None,
    yes: Yes = False,
    common: Common = DEFAULT,
) -> int:
    """Replace a standing rule by a new version; the old one stays in the list of all versions.

    Parameters
    ----------
    name
        The rule's name.
    code
        A code to accept; may be repeated.
    charge_max
        Accept cases with charges up to this amount, such as 120.
    provider
        Only of this provider: its identifier in the charter, or its key; may be repeated. Any provider by default.
    yes
        Do not ask before.

    """
    return _put(common, "replace", name, code, charge_max, provider, yes=yes)


@app.command
def revoke(name: str, *, yes: Yes = False, common: Common = DEFAULT) -> int:  # noqa: D417
    """Revoke a standing rule. Ballots that it cast stay; each may be replaced by hand: mutua vote cast.

    Parameters
    ----------
    name
        The rule's name.
    yes
        Do not ask before.

    """
    client = common.client()
    own_member(client.status())
    if not is_confirmed(common, yes=yes, review=(), question=f"revoke rule {name!r}?"):
        return say(common, {}, "nothing was changed")
    answer = client.change_auto_rule("revoke", {"name": name})
    return say(common, answer, f"rule {name} is revoked; your node casts nothing by it any more")


def _put(  # noqa: PLR0917
    common: Common,
    action: str,
    name: str,
    codes: Sequence[str] | None,
    charge_max: str,
    providers: Sequence[str] | None,
    *,
    yes: bool,
) -> int:
    client = common.client()
    status = client.status()
    own_member(status)
    money = Money.of(status)
    rule = {
        "name": name,
        "codes": sorted(set(codes or ())),
        "charge_max_cents": money.read(charge_max, "charge"),
        "providers": sorted({provider_key(client, item) for item in providers or ()}),
    }
    if not rule["codes"]:
        raise MutuaError("usage", "the rule names no code", "give --code, once for each")
    if not is_confirmed(common, yes=yes, review=_review(rule, money), question=f"{action} this rule?"):
        return say(common, {}, "nothing was changed")
    answer = client.change_auto_rule(action, rule)
    return say(common, answer, f"rule {name}, version {answer['version']}: {short(answer['rule_hash'])}")


def _review(rule: Json, money: Money) -> Iterator[str]:
    yield (
        f"rule {rule['name']}: accept {' '.join(rule['codes'])} with charges up to"
        f" {money.show(rule['charge_max_cents'])}"
    )
    yield f"of {' '.join(map(short, rule['providers'])) or 'any provider'}"
    yield (
        "your node says yes in the first block of each such vote, without opening the evidence; all members see that a"
        " rule cast it"
    )
