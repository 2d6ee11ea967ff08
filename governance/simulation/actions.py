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


def _integer(default: Any = ABSENT, *, null: bool = False, most: int = INT_MAX) -> Field:
    return Field("integer", default, null, most=most)


def _each(field: Field, *names: str) -> dict[str, Field]:
    """Return fields of one shape."""
    return dict.fromkeys(names, field)


def _bounded(fields: dict[str, Field], bounds: dict[str, int]) -> dict[str, Field]:
    """Return fields of the genesis line: every integer up to its bound, else up to the bound of all figures."""
    return {
        name: replace(field, most=bounds.get(name, FIGURE_MAX)) if field.kind == "integer" else field
        for name, field in fields.items()
    }


TEXT, INTEGER, ZERO, FALSE, TEXTS = _text(), _integer(), _integer(0), Field("flag", False), Field("texts", ())
EMPTY, NULL_TEXT, NULL_INTEGER = _text(""), _text(None, null=True), _integer(None, null=True)
NULL_TEXTS, PARTY = Field("texts", None, is_nullable=True), _text("member", choices=("member", "provider"))

CODE_FIELDS = {"code": TEXT, "standard": FALSE, **_each(NULL_INTEGER, "allowed_cents", "frequency"), "system": EMPTY}
PLAN_FIELDS = {
    "name": TEXT,
    **_each(ZERO, "premium_cents", "deductible_cents", "copay_cents", "coinsurance_bp"),
    **_each(NULL_INTEGER, "oop_max_cents", "claim_ceiling_cents", "year_ceiling_cents"),
    "waiting_terms": ZERO,
    "prior_cents": NULL_INTEGER,
    "codes": Field("texts", (), is_nullable=True),
}
MEMBER_FIELDS = {
    **_each(TEXT, "name", "plan"),
    "household": NULL_TEXT,
    "contract_terms": Field("integer", 1, options=LENGTHS),
    "terms_ago": ZERO,
    "record": Field("record", (0, 0)),
}
LINE_FIELDS = {"code": TEXT, "units": _integer(1), "charge_cents": INTEGER, "day": INTEGER, "system": EMPTY}
PARTY_FIELDS = {"change": _text(choices=("add", "remove")), "key": TEXT, "name": EMPTY}
GENESIS_FIELDS = {
    "do": TEXT,
    "at": ZERO,
    "phase": _text("live", choices=PHASES),
    "currency": _text("USD"),
    "exponent": _integer(2, most=EXPONENT_MAX),
    "params": Field("params", {}),
    "seed": ZERO,
    "accounts": Field("accounts", {}),
    "rate": _integer(None, null=True, most=RATE_MAX),
    "auto_pay": FALSE,
    "plans": Field("objects", (), shape="plan"),
    "members": Field("objects", (), shape="member"),
    "providers": TEXTS,
    "codes": Field("objects", (), shape="code"),
    **_each(TEXTS, "community", "attesters", "verifiers", "signers"),
    "signers_needed": _integer(1),
    "all_events": FALSE,
}
OBJECTS = {
    "plan": _bounded(PLAN_FIELDS, {"coinsurance_bp": 10_000, "waiting_terms": WAITING_MAX}),
    "member": _bounded(MEMBER_FIELDS, {"terms_ago": TERMS_AGO_MAX, "contract_terms": INT_MAX}),
    "code": _bounded(CODE_FIELDS, {}),
    "line": LINE_FIELDS,
}
PROPOSALS: dict[str, dict[str, Field]] = {
    "demote": {"code": TEXT, "system": EMPTY},
    "param": {"name": TEXT, "value": INTEGER},
    "list": CODE_FIELDS,
    "plan": PLAN_FIELDS,
    "phase": {"to": _text(choices=PHASES)},
    "expel": {"member": TEXT},
    **dict.fromkeys(("attester", "verifier", "provider"), PARTY_FIELDS),
    "signer": {"change": _text(choices=("add", "remove", "threshold")), "key": EMPTY, "threshold": ZERO},
    "protocol": _each(INTEGER, "version", "height"),
}
ACTIONS: dict[str, dict[str, Field]] = {
    "claim": {
        **_each(TEXT, "id", "by", "provider"),
        "lines": Field("objects", shape="line"),
        "payee": PARTY,
        "other_payer_cents": ZERO,
        **_each(NULL_TEXT, "event", "supersedes"),
        "use": _text("claim", choices=("claim", "preauth")),
        "scheme": EMPTY,
        "submitter": PARTY,
    },
    "ballot": {
        **_each(TEXT, "by", "claim"),
        "code": NULL_TEXT,
        "choice": _text(choices=("accept", "deny", "abstain")),
        "award_cents": NULL_INTEGER,
        "opened": FALSE,
        "reason": _text("", null=True),
    },
    "withdraw": _each(TEXT, "by", "claim"),
    "evidence": _each(TEXT, "by", "claim"),
    "auto_accept": {
        **_each(TEXT, "by", "id"),
        "off": FALSE,
        "codes": NULL_TEXTS,
        "ceiling_cents": NULL_INTEGER,
        "providers": NULL_TEXTS,
    },
    "delegate": {"by": TEXT, "to": TEXT, "topic": _text("*")},
    "undelegate": {"by": TEXT, "topic": _text("*")},
    "pay_premium": {"by": TEXT},
    "change_plan": {"by": TEXT, "plan": TEXT, "contract_terms": _integer(1)},
    "leave": {"by": TEXT},
    "apply": {
        **_each(TEXT, "name", "plan"),
        "contract_terms": _integer(1),
        **_each(NULL_TEXT, "household", "person"),
        "attested_by": TEXTS,
        "deposit_cents": ZERO,
    },
    "withdraw_application": {"by": TEXT},
    "list_provider": {"by": TEXT, "name": TEXT, "attested_by": TEXTS},
    "vouch": _each(TEXT, "by", "name"),
    "object": {"by": TEXT, "name": TEXT, "reason": _text("", null=True)},
    "propose": {"by": TEXT, "id": TEXT, "what": _text(choices=tuple(PROPOSALS))},
    "sponsor": _each(TEXT, "by", "proposal"),
    "cast": {"by": TEXT, "proposal": TEXT, "choice": _text(choices=("yes", "no", "abstain"))},
    "report": {"by": TEXT, "member": TEXT, "claim": NULL_TEXT},
    "finding": {"claim": TEXT, "outcome": _text(choices=("fraud", "clear")), "by": NULL_TEXT, "attested_by": TEXTS},
    "appeal": {"by": TEXT, "claim": TEXT, "code": NULL_TEXT, "ground": _text(choices=("evidence", "rule"))},
    "quote": {"by": TEXT, "rate": INTEGER},
    "dependant": {"by": TEXT, "name": TEXT, "off": FALSE},
    "device": {"by": TEXT, "device": TEXT, "off": FALSE},
    "guardians": {"by": TEXT, "threshold": INTEGER, "guardians": Field("texts")},
    "move_identity": {**_each(TEXT, "by", "member", "to"), "guardians": Field("texts"), "serial": NULL_INTEGER},
    "object_move": {"by": TEXT},
    "advance": {"to": INTEGER},
    "show": {
        "what": _text(choices=("member", "claim", "code", "plan", "accounts", "params", "coop")),
        "name": NULL_TEXT,
    },
}


NO_RECORDS = ("advance", "show", "auto_accept", "finding")
SIGNED = {"signed_by": NULL_TEXT}
"""The key that signs the record; by default the acting member's identity key (for a claim: the cover)."""
