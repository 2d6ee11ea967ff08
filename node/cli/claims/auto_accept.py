"""`mutua vote auto list | add | replace | revoke`.

Auto-accept rules, by which the member's own node accepts cases in the first block of their vote.

A rule can only say yes. The ballot names the hash of the rule and nothing else of it; it counts for the case, never as
an opened one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.text import Units, short
from node.api.views.actions import AutoRule
from node.cli.common import ASK, DEFAULT, Asking, Common, Flag, Row, Session, read_amount, say, table

app = App(name="auto", help="Auto-accept rules, by which your node accepts cases automatically.")
AUTO = "case.auto_ballot"
RuleName = Annotated[str, Parameter(help="The rule's name.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWords:
    """What a rule accepts, as a member writes it."""

    code: Annotated[list[str] | None, Parameter(negative="", help="A code to accept; may be repeated.")] = None
    charge_max: Annotated[str, Parameter(help="Accept cases with charges up to this amount, such as 120.")]
    provider: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            help="Only of this provider: its identifier in the charter, or its key; may be repeated. Default: any.",
        ),
    ] = None

    def fields(self, session: Session, name: str) -> dict[str, Any]:
        """Return the rule as the API takes it. MutuaError `usage` without a code."""
        rule = {
            "name": name,
            "codes": sorted(set(self.code or ())),
            "charge_max_cents": read_amount(session.units, self.charge_max, "charge"),
            "providers": sorted({session.provider_key(item) for item in self.provider or ()}),
        }
        if not rule["codes"]:
            raise MutuaError("usage", "the rule names no code", "give --code, once for each")
        return rule


@app.command(name="list")
def list_command(*, all: Flag = False, common: Common = DEFAULT) -> int:  # noqa: A002
    """List your auto-accept rules.

    :param all: Show every version, including replaced and revoked ones, to see which wording cast a ballot.
    """
    session = common.session()
    rules: Sequence[AutoRule] = session.client.auto_rules()
    if not all:
        newest = {item.name: item for item in rules}
        rules = [item for item in newest.values() if not item.is_revoked]
    heads = ("rule", "version", "codes", "charges up to", "providers", "hash")

    def row(item: AutoRule) -> Row:
        version = f"{item.version}{' revoked' if item.is_revoked else ''}"
        limit, providers = session.units.money(item.charge_max_cents), " ".join(map(short, item.providers)) or "any"
        return item.name, version, " ".join(item.codes), limit, providers, short(item.rule_hash)

    empty = "no auto-accept rules; your node casts no ballots automatically"
    return say(common, rules, lambda: table(heads, map(row, rules), empty))


@app.command
def add(name: str, *, words: RuleWords, ask: Asking = ASK, common: Common = DEFAULT) -> int:
    """Add an auto-accept rule. From the next block on, your node accepts matching cases; it never denies any.

    :param name: A name for the rule, for yourself.
    """
    return _put(common, "add", name, words, ask)


@app.command
def replace(name: RuleName, *, words: RuleWords, ask: Asking = ASK, common: Common = DEFAULT) -> int:
    """Replace an auto-accept rule by a new version; the old one stays in the list of all versions."""
    return _put(common, "replace", name, words, ask)


@app.command
def revoke(name: RuleName, *, ask: Asking = ASK, common: Common = DEFAULT) -> int:
    """Revoke an auto-accept rule. Ballots that it cast stay; each may be replaced by hand: mutua vote cast."""
    session = common.session()
    _ = session.member
    if not ask.is_confirmed(common, AUTO, (), f"revoke rule {name!r}?"):
        return say(common, {}, "nothing was changed")
    answer = session.client.change_auto_rule("revoke", {"name": name})
    return say(common, answer, f"rule {name} is revoked; your node casts no ballots by it any more")


def _put(common: Common, action: str, name: str, words: RuleWords, ask: Asking) -> int:
    session = common.session()
    _, rule = session.member, words.fields(session, name)
    if not ask.is_confirmed(common, AUTO, _review(rule, session.units), f"{action} this rule?"):
        return say(common, {}, "nothing was changed")
    answer = session.client.change_auto_rule(action, rule)
    return say(common, answer, f"rule {name}, version {answer.version}: {short(answer.rule_hash)}")


def _review(rule: dict[str, Any], units: Units) -> Iterator[str]:
    limit = units.money(rule["charge_max_cents"])
    yield f"rule {rule['name']}: accept {' '.join(rule['codes'])} with charges up to {limit}"
    yield f"of {' '.join(map(short, rule['providers'])) or 'any provider'}"
    yield (
        "your node accepts in the first block of each such vote, without opening the evidence; all members see that a"
        " rule cast the ballot"
    )
