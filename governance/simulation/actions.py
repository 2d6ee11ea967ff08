"""The actions of a scenario file and their fields, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from governance.benefits.contracts import LENGTHS
from governance.genesis import EXPONENT_MAX, FIGURE_MAX, TERMS_AGO_MAX, WAITING_MAX
from governance.money.rates import RATE_MAX
from governance.state.coop import PHASES
from ledger.codec import INT_MAX

ABSENT = object()
"""The default of a field that every file must give."""


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


def _text(default: Any = ABSENT, *, null: bool = False, choices: tuple[str, ...] = ()) -> Field:
    return Field("text", default, null, choices)


def _integer(default: Any = ABSENT, *, null: bool = False) -> Field:
    return Field("integer", default, null)


def _flag(default: bool) -> Field:
    return Field("flag", default)


def _names(*names: str) -> dict[str, Field]:
    """Return required fields of text."""
    return dict.fromkeys(names, _text())


def _bounded(fields: dict[str, Field], bounds: dict[str, int], most: int = FIGURE_MAX) -> dict[str, Field]:
    """Return fields of the genesis line: every integer up to its bound, else up to `most`."""
    return {
        name: replace(field, most=bounds.get(name, most)) if field.kind == "integer" else field
        for name, field in fields.items()
    }


CODE_FIELDS = {
    "code": _text(),
    "standard": _flag(False),
    "allowed_cents": _integer(None, null=True),
    "frequency": _integer(None, null=True),
    "system": _text(""),
}
PLAN_FIELDS = {
    "name": _text(),
    "premium_cents": _integer(0),
    "deductible_cents": _integer(0),
    "copay_cents": _integer(0),
    "coinsurance_bp": _integer(0),
    "oop_max_cents": _integer(None, null=True),
    "claim_ceiling_cents": _integer(None, null=True),
    "year_ceiling_cents": _integer(None, null=True),
    "waiting_terms": _integer(0),
    "prior_cents": _integer(None, null=True),
    "codes": Field("texts", (), is_nullable=True),
}
MEMBER_FIELDS = {
    "name": _text(),
    "plan": _text(),
    "household": _text(None, null=True),
    "contract_terms": _integer(1),
    "terms_ago": _integer(0),
    "record": Field("record", (0, 0)),
}
LINE_FIELDS = {
    "code": _text(),
    "units": _integer(1),
    "charge_cents": _integer(),
    "day": _integer(),
    "system": _text(""),
}
PARTY_FIELDS = {"change": _text(choices=("add", "remove")), "key": _text(), "name": _text("")}
GENESIS_FIELDS = {
    "do": _text(),
    "at": _integer(0),
    "phase": _text("live", choices=PHASES),
    "currency": _text("USD"),
    "exponent": Field("integer", 2, most=EXPONENT_MAX),
    "params": Field("params", {}),
    "seed": _integer(0),
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
    "signers_needed": _integer(1),
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
    "param": {"name": _text(), "value": _integer()},
    "list": CODE_FIELDS,
    "plan": PLAN_FIELDS,
    "phase": {"to": _text(choices=PHASES)},
    "expel": {"member": _text()},
    "attester": PARTY_FIELDS,
    "verifier": PARTY_FIELDS,
    "provider": PARTY_FIELDS,
    "signer": {"change": _text(choices=("add", "remove", "threshold")), "key": _text(""), "threshold": _integer(0)},
    "protocol": {"version": _integer(), "height": _integer()},
}
ACTIONS: dict[str, dict[str, Field]] = {
    "claim": _names("id", "by", "provider")
    | {
        "lines": Field("objects", shape="line"),
        "payee": _text("member", choices=("member", "provider")),
        "other_payer_cents": _integer(0),
        "event": _text(None, null=True),
        "supersedes": _text(None, null=True),
        "use": _text("claim", choices=("claim", "preauth")),
        "scheme": _text(""),
        "submitter": _text("member", choices=("member", "provider")),
    },
    "ballot": _names("by", "claim")
    | {
        "code": _text(None, null=True),
        "choice": _text(choices=("accept", "deny", "abstain")),
        "award_cents": _integer(None, null=True),
        "opened": _flag(False),
        "reason": _text("", null=True),
    },
    "withdraw": _names("by", "claim"),
    "evidence": _names("by", "claim"),
    "auto_accept": _names("by", "id")
    | {
        "off": _flag(False),
        "codes": Field("texts", None, is_nullable=True),
        "ceiling_cents": _integer(None, null=True),
        "providers": Field("texts", None, is_nullable=True),
    },
    "delegate": {"by": _text(), "to": _text(), "topic": _text("*")},
    "undelegate": {"by": _text(), "topic": _text("*")},
    "pay_premium": _names("by"),
    "change_plan": {"by": _text(), "plan": _text(), "contract_terms": _integer(1)},
    "leave": _names("by"),
    "apply": _names("name", "plan")
    | {
        "contract_terms": _integer(1),
        "household": _text(None, null=True),
        "person": _text(None, null=True),
        "attested_by": Field("texts", ()),
        "deposit_cents": _integer(0),
    },
    "withdraw_application": _names("by"),
    "list_provider": {"by": _text(), "name": _text(), "attested_by": Field("texts", ())},
    "vouch": _names("by", "name"),
    "object": {"by": _text(), "name": _text(), "reason": _text("", null=True)},
    "propose": {"by": _text(), "id": _text(), "what": _text(choices=tuple(PROPOSALS))},
    "sponsor": _names("by", "proposal"),
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
    "quote": {"by": _text(), "rate": _integer()},
    "dependant": {"by": _text(), "name": _text(), "off": _flag(False)},
    "device": {"by": _text(), "device": _text(), "off": _flag(False)},
    "guardians": {"by": _text(), "threshold": _integer(), "guardians": Field("texts")},
    "move_identity": _names("by", "member", "to") | {"guardians": Field("texts"), "serial": _integer(None, null=True)},
    "object_move": _names("by"),
    "advance": {"to": _integer()},
    "show": {
        "what": _text(choices=("member", "claim", "code", "plan", "accounts", "params", "coop")),
        "name": _text(None, null=True),
    },
}


NO_RECORDS = ("advance", "show", "auto_accept", "finding")
SIGNED = {"signed_by": _text(None, null=True)}
"""The key that signs the record; by default the acting member's identity key (for a claim: the cover)."""
