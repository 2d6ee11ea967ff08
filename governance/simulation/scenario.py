"""Scenario files: JSON lines read into checked actions.

A file with one error plays nothing and says line, field and shape.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

from governance.benefits.contracts import LENGTHS
from governance.genesis import ACCOUNT_MAX, EXPONENT_MAX, FIGURE_MAX, TERMS_AGO_MAX, WAITING_MAX
from governance.money.rates import RATE_MAX
from governance.params import PARAMETERS
from governance.state.coop import PHASES
from ledger.codec import INT_MAX
from ledger.errors import MutuaError

LINES_MAX = 5_000_000
"""A bound on the file; longer stories are split."""
HEIGHT_MAX = 1_000_000
"""About 2,700 years of daily blocks: a typing error must not play for ever."""
TEXT_MAX = 4096
ABSENT = object()


class ScenarioError(MutuaError):
    """A file that does not parse: nothing of it is played."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field's shape: its kind, whether it may be null, its default (ABSENT: required)."""

    kind: str
    default: Any = ABSENT
    is_nullable: bool = False
    choices: tuple[str, ...] = ()
    shape: str = ""
    most: int = INT_MAX
    """Of an integer."""
    options: tuple[int, ...] = ()
    """Of an integer that is one of a few; empty: any up to `most`."""


@dataclass(frozen=True, slots=True)
class Action:
    """One line: what is done at which height, with every field filled in."""

    line: int
    at: int
    do: str
    fields: dict[str, Any]


def _text(default: Any = ABSENT, *, null: bool = False, choices: tuple[str, ...] = ()) -> Field:
    return Field("text", default, null, choices)


def _int(default: Any = ABSENT, *, null: bool = False) -> Field:
    return Field("integer", default, null)


def _bounded(fields: dict[str, Field], bounds: dict[str, int], most: int = FIGURE_MAX) -> dict[str, Field]:
    """Return fields of the founding: every integer up to its bound, else up to `most`.

    What a proposal names the rules judge instead.
    """
    return {
        name: replace(field, most=bounds.get(name, most)) if field.kind == "integer" else field
        for name, field in fields.items()
    }


def _flag(default: bool) -> Field:
    return Field("flag", default)


CODE_FIELDS = {
    "code": _text(),
    "standard": _flag(False),
    "allowed_cents": _int(None, null=True),
    "frequency": _int(None, null=True),
    "system": _text(""),
}
PLAN_FIELDS = {
    "name": _text(),
    "premium_cents": _int(0),
    "deductible_cents": _int(0),
    "copay_cents": _int(0),
    "coinsurance_bp": _int(0),
    "oop_max_cents": _int(None, null=True),
    "claim_ceiling_cents": _int(None, null=True),
    "year_ceiling_cents": _int(None, null=True),
    "waiting_terms": _int(0),
    "prior_cents": _int(None, null=True),
    "codes": Field("texts", (), is_nullable=True),
}
MEMBER_FIELDS = {
    "name": _text(),
    "plan": _text(),
    "household": _text(None, null=True),
    "contract_terms": _int(1),
    "terms_ago": _int(0),
    "record": Field("record", (0, 0)),
}
LINE_FIELDS = {"code": _text(), "units": _int(1), "charge_cents": _int(), "day": _int(), "system": _text("")}
GENESIS_FIELDS = {
    "do": _text(),
    "at": _int(0),
    "phase": _text("live", choices=PHASES),
    "currency": _text("USD"),
    "exponent": Field("integer", 2, most=EXPONENT_MAX),
    "params": Field("params", {}),
    "seed": _int(0),
    "accounts": Field("accounts", {}),
    "rate": Field("integer", None, is_nullable=True, most=RATE_MAX),
    "auto_pay": _flag(False),
    "plans": Field("objects", (), shape="plan"),
    "members": Field("objects", (), shape="member"),
    "providers": Field("texts", ()),
    "codes": Field("objects", (), shape="code"),
    "community": Field("texts", ()),
    "attesters": Field("texts", ()),
    "verifiers": Field("texts", ()),
    "signers": Field("texts", ()),
    "signers_needed": _int(1),
    "all_events": _flag(False),
}
OBJECTS = {
    "plan": _bounded(PLAN_FIELDS, {"coinsurance_bp": 10_000, "waiting_terms": WAITING_MAX}),
    "member": (
        _bounded(MEMBER_FIELDS, {"terms_ago": TERMS_AGO_MAX}) | {"contract_terms": Field("integer", 1, options=LENGTHS)}
    ),
    "code": _bounded(CODE_FIELDS, {}),
    "line": LINE_FIELDS,
}
PROPOSALS: dict[str, dict[str, Field]] = {
    "demote": {"code": _text(), "system": _text("")},
    "param": {"name": _text(), "value": _int()},
    "list": CODE_FIELDS,
    "plan": PLAN_FIELDS,
    "phase": {"to": _text(choices=PHASES)},
    "expel": {"member": _text()},
    "attester": {"change": _text(choices=("add", "remove")), "key": _text(), "name": _text("")},
    "verifier": {"change": _text(choices=("add", "remove")), "key": _text(), "name": _text("")},
    "provider": {"change": _text(choices=("add", "remove")), "key": _text(), "name": _text("")},
    "signer": {"change": _text(choices=("add", "remove", "threshold")), "key": _text(""), "threshold": _int(0)},
    "protocol": {"version": _int(), "height": _int()},
}
ACTIONS: dict[str, dict[str, Field]] = {
    "claim": {
        "id": _text(),
        "by": _text(),
        "provider": _text(),
        "lines": Field("objects", shape="line"),
        "payee": _text("member", choices=("member", "provider")),
        "other_payer_cents": _int(0),
        "event": _text(None, null=True),
        "supersedes": _text(None, null=True),
        "use": _text("claim", choices=("claim", "preauth")),
        "scheme": _text(""),
        "submitter": _text("member", choices=("member", "provider")),
    },
    "ballot": {
        "by": _text(),
        "claim": _text(),
        "code": _text(None, null=True),
        "choice": _text(choices=("accept", "deny", "abstain")),
        "award_cents": _int(None, null=True),
        "opened": _flag(False),
        "reason": _text("", null=True),
    },
    "withdraw": {"by": _text(), "claim": _text()},
    "evidence": {"by": _text(), "claim": _text()},
    "auto_accept": {
        "by": _text(),
        "id": _text(),
        "off": _flag(False),
        "codes": Field("texts", None, is_nullable=True),
        "ceiling_cents": _int(None, null=True),
        "providers": Field("texts", None, is_nullable=True),
    },
    "delegate": {"by": _text(), "to": _text(), "topic": _text("*")},
    "undelegate": {"by": _text(), "topic": _text("*")},
    "pay_premium": {"by": _text()},
    "change_plan": {"by": _text(), "plan": _text(), "contract_terms": _int(1)},
    "leave": {"by": _text()},
    "apply": {
        "name": _text(),
        "plan": _text(),
        "contract_terms": _int(1),
        "household": _text(None, null=True),
        "person": _text(None, null=True),
        "attested_by": Field("texts", ()),
        "deposit_cents": _int(0),
    },
    "withdraw_application": {"by": _text()},
    "list_provider": {"by": _text(), "name": _text(), "attested_by": Field("texts", ())},
    "vouch": {"by": _text(), "name": _text()},
    "object": {"by": _text(), "name": _text(), "reason": _text("", null=True)},
    "propose": {"by": _text(), "id": _text(), "what": _text(choices=tuple(PROPOSALS))},
    "sponsor": {"by": _text(), "proposal": _text()},
    "cast": {"by": _text(), "proposal": _text(), "choice": _text(choices=("yes", "no", "abstain"))},
    "report": {"by": _text(), "member": _text(), "claim": _text(None, null=True)},
    "finding": {
        "claim": _text(),
        "outcome": _text(choices=("fraud", "clear")),
        "by": _text(None, null=True),
        "attested_by": Field("texts", ()),
    },
    "appeal": {
        "by": _text(),
        "claim": _text(),
        "code": _text(None, null=True),
        "ground": _text(choices=("evidence", "rule")),
    },
    "quote": {"by": _text(), "rate": _int()},
    "dependant": {"by": _text(), "name": _text(), "off": _flag(False)},
    "device": {"by": _text(), "device": _text(), "off": _flag(False)},
    "guardians": {"by": _text(), "threshold": _int(), "guardians": Field("texts")},
    "move_identity": {
        "by": _text(),
        "member": _text(),
        "to": _text(),
        "guardians": Field("texts"),
        "serial": _int(None, null=True),
    },
    "object_move": {"by": _text()},
    "advance": {"to": _int()},
    "show": {
        "what": _text(choices=("member", "claim", "code", "plan", "accounts", "params", "coop")),
        "name": _text(None, null=True),
    },
}


NO_RECORDS = ("advance", "show", "auto_accept", "finding")
SIGNED = {"signed_by": _text(None, null=True)}
"""Which key signs the record, where it is not the identity key of the one who acts (of a claim: the cover)."""


def parse(lines: Iterable[str]) -> list[Action]:
    """Return the actions of a file, the genesis first; ScenarioError at the first line that is not as the page says."""
    actions: list[Action] = []
    at = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if number > LINES_MAX:
            raise _error(number, "the file", f"at most {LINES_MAX} lines", "more")
        action = _parse_line(number, text, is_first=not actions)
        if action.at < at:
            raise _error(number, "at", f"an integer of {at} or more (lines are sorted)", action.at)
        at = action.at
        actions.append(action)
    if not actions:
        raise _error(1, "do", '"genesis"', "an empty file")
    return actions


def _error(line: int, field: str, expected: str, found: Any) -> ScenarioError:
    shown = (
        found
        if isinstance(found, str) and found in ("more", "an empty file", "nothing")
        else json.dumps(found, ensure_ascii=False, default=str)
    )
    return ScenarioError(
        "scenario",
        f"line {line}, field {field}: expected {expected}, found {shown[:80]}",
        "correct the line; nothing was played",
    )


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)} stands twice")
    return found


def _parse_line(number: int, text: str, *, is_first: bool) -> Action:
    """Return one checked action."""
    try:
        found = json.loads(text, object_pairs_hook=_pairs, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(
            "scenario",
            f"line {number}, the line: expected one JSON object, {error}",
            "correct the line; nothing was played",
        ) from None
    if not isinstance(found, dict):
        raise _error(number, "the line", "one JSON object", found)
    fields = cast("dict[str, Any]", found)
    do = fields.get("do")
    if is_first or do == "genesis":
        if not is_first or do != "genesis":
            raise _error(number, "do", '"genesis" on the first line and only there', do)
        checked = _check_object(number, "", fields, GENESIS_FIELDS)
        if checked["at"] != 0:
            raise _error(number, "at", "0", checked["at"])
        _check_founding(number, checked)
        return Action(number, 0, "genesis", checked)
    if not isinstance(do, str) or do not in ACTIONS:
        raise _error(number, "do", "one of " + ", ".join(ACTIONS), do)
    shape = {"at": _int(), "do": _text(), **ACTIONS[do], **({} if do in NO_RECORDS else SIGNED)}
    if do == "propose":
        shape |= PROPOSALS.get(str(fields.get("what")), {})
    if do == "show" and fields.get("what") in ("member", "claim", "code", "plan"):
        shape["name"] = _text()
    checked = _check_object(number, "", fields, shape)
    at = checked.pop("at")
    checked.pop("do")
    for name, height in (("at", at), ("to", checked.get("to"))):
        if isinstance(height, int) and height > HEIGHT_MAX:
            raise _error(number, name, f"a height of at most {HEIGHT_MAX}", height)
    return Action(number, at, do, checked)


def _check_object(line: int, path: str, found: Any, shape: dict[str, Field]) -> dict[str, Any]:
    """Return an object with defaults filled in, every field of its shape and no other."""
    if not isinstance(found, dict):
        raise _error(line, path.rstrip(".") or "the line", "an object", found)
    given = cast("dict[str, Any]", found)
    for name in given:
        if name not in shape:
            raise _error(line, path + name, "one of " + ", ".join(shape), name)
    checked: dict[str, Any] = {}
    for name, field in shape.items():
        if name not in given:
            if field.default is ABSENT:
                raise _error(line, path + name, _expected(field), "nothing")
            checked[name] = field.default
        else:
            checked[name] = _check_field(line, path + name, given[name], field)
    return checked


def _check_founding(line: int, fields: dict[str, Any]) -> None:
    """Refuse a first line whose parts contradict each other, by the field that does."""
    names = [plan["name"] for plan in fields["plans"]]
    for kind in ("plans", "members"):
        _check_once(line, kind, [item["name"] for item in fields[kind]], ".name")
    for kind in ("providers", "signers", "attesters", "verifiers"):
        _check_once(line, kind, list(fields[kind]), "")
    _check_once(line, "codes", [(item["system"], item["code"]) for item in fields["codes"]], ".code")
    for index, member in enumerate(fields["members"]):
        if member["plan"] not in names:
            known = " or ".join(names) if names else "none is given"
            raise _error(line, f"members[{index}].plan", f"the name of a plan of this line ({known})", member["plan"])
        if member["record"][1] > FIGURE_MAX:
            raise _error(
                line,
                f"members[{index}].record",
                f"[denied, voted] with denied <= voted <= {FIGURE_MAX}",
                list(member["record"]),
            )
    signers = len(fields["signers"])
    if signers and not 1 <= fields["signers_needed"] <= signers:
        raise _error(
            line, "signers_needed", f"an integer of 1 to {signers}, the number of signers", fields["signers_needed"]
        )


def _check_once(line: int, path: str, names: list[Any], field: str) -> None:
    """Refuse a name that stands twice in a list."""
    for index, name in enumerate(names):
        if name in names[:index]:
            shown = name if isinstance(name, str) else name[-1]
            raise _error(
                line,
                f"{path}[{index}]{field}",
                f"a name of its own ({path}[{names.index(name)}]{field} has this one)",
                shown,
            )


def _expected(field: Field) -> str:
    """Return a field's shape in words."""
    integer = "an integer of 0 or more" if field.most == INT_MAX else f"an integer of 0 to {field.most}"
    if field.options:
        integer = "one of " + ", ".join(map(str, field.options))
    words = {
        "text": "text",
        "integer": integer,
        "flag": "true or false",
        "texts": "a list of texts",
        "record": "[denied, voted] with denied <= voted",
        "params": "an object of parameter names and integers",
        "accounts": '{"claims": cents, "reserve": cents}',
        "objects": f"a list of {field.shape} objects",
    }[field.kind]
    if field.choices:
        words = "one of " + ", ".join(field.choices)
    return words + (" or null" if field.is_nullable else "")


def _is_integer(value: Any, most: int = INT_MAX) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_text(value: Any) -> bool:
    try:
        return (
            isinstance(value, str)
            and bool(value.encode() or True)
            and len(value) <= TEXT_MAX
            and unicodedata.normalize("NFC", value) == value
        )
    except UnicodeError:
        return False


def _check_field(line: int, path: str, value: Any, field: Field) -> Any:
    """Return a field's checked value."""
    if value is None and field.is_nullable:
        return field.default if field.default is not ABSENT else None
    kind = field.kind
    if kind in ("texts", "objects", "record"):
        return _check_list(line, path, value, field)
    if kind in ("params", "accounts"):
        return _check_named(line, path, value, field)
    is_fine = (
        (kind == "text" and _is_text(value) and (not field.choices or value in field.choices))
        or (kind == "integer" and _is_integer(value, field.most) and (not field.options or value in field.options))
        or (kind == "flag" and isinstance(value, bool))
    )
    if not is_fine:
        raise _error(line, path, _expected_of(field, value), value)
    return value


def _expected_of(field: Field, value: Any) -> str:
    """Return a field's shape in words, with the bound that a value of the right kind has passed."""
    if field.kind == "integer" and not field.options and field.most == INT_MAX and _is_integer(value, 10**400):
        return f"an integer of at most {INT_MAX}"
    if field.kind == "text" and not field.choices and isinstance(value, str):
        return f"text of at most {TEXT_MAX} characters in Unicode form NFC"
    return _expected(field)


def _check_list(line: int, path: str, value: Any, field: Field) -> Any:
    """Return a checked list, its items named by their place."""
    if not isinstance(value, list):
        raise _error(line, path, _expected(field), value)
    items = cast("list[Any]", value)
    if field.kind == "record":
        if not (len(items) == 2 and all(map(_is_integer, items)) and items[0] <= items[1]):
            raise _error(line, path, _expected(field), value)
    elif field.kind == "texts":
        for index, item in enumerate(items):
            _check_field(line, f"{path}[{index}]", item, _text())
    else:
        if field.shape == "line" and not items:
            raise _error(line, path, "at least one line", value)
        return tuple(
            _check_object(line, f"{path}[{index}].", item, OBJECTS[field.shape]) for index, item in enumerate(items)
        )
    return tuple(items)


def _check_named(line: int, path: str, value: Any, field: Field) -> Any:
    """Return checked parameters or balances, each named."""
    if not isinstance(value, dict):
        raise _error(line, path, _expected(field), value)
    for name, item in cast("dict[str, Any]", value).items():
        where = f"{path}.{name}"
        if field.kind == "accounts":
            if name not in ("claims", "reserve"):
                raise _error(line, where, "claims or reserve", name)
            _check_field(line, where, item, Field("integer", most=ACCOUNT_MAX))
            continue
        parameter = PARAMETERS.get(name)
        if parameter is None:
            raise _error(line, where, "the name of a parameter of the rules", name)
        if not _is_integer(item, parameter.value_max) or item < parameter.value_min:
            raise _error(
                line, where, f"an integer of {parameter.value_min} to {parameter.value_max} {parameter.unit}", item
            )
    return cast("Any", value)
