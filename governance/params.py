"""The numbers of the rules that members may change: their bounds, and how they change (rules.md, table of parameters).

A case keeps the parameters of the block that included it: the state holds each set under a version number, and rows
name the version. Constants (a term of 30 blocks, a year of 12 terms, premium changes within 9/10 to 11/10, the rows of
the approval threshold) are not parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_type_hints

from msgspec.structs import replace

from governance.state.params import PARAM_SETS, PARAM_VERSION, Params, current_version, params_at
from governance.tables import Draft, Number
from ledger.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of the rules: its meaning, unit, bounds and source."""

    name: str
    default: int
    unit: str
    value_min: int
    value_max: int
    is_critical: bool
    source: str
    meaning: str


PARAMETERS = {
    name: Parameter(name, *hint.__metadata__) for name, hint in get_type_hints(Params, include_extras=True).items()
}


# ---- Rules --------------------------------------------------------------
def check_parameter(name: str, value: int) -> None:
    """Raise RuleBroken for an unknown name or a value out of range."""
    parameter = PARAMETERS.get(name)
    if parameter is None:
        what = f"there is no parameter {name}"
        raise RuleBroken("param_unknown", what, "see the table of parameters in the reference")
    if not parameter.value_min <= value <= parameter.value_max:
        bounds = f"{parameter.value_min}..{parameter.value_max} {parameter.unit}"
        raise RuleBroken("param_range", f"{name} = {value} is outside {bounds}", "choose a value within these bounds")


def params_of(overrides: Mapping[str, int]) -> Params:
    """Return the defaults with `overrides`; RuleBroken for an unknown name or a value out of range."""
    for name, value in sorted(overrides.items()):
        check_parameter(name, value)
    return Params(**{name: overrides.get(name, parameter.default) for name, parameter in PARAMETERS.items()})


def put_params(draft: Draft, params: Params, version: int) -> None:
    """Make `params` the set in force under `version`."""
    PARAM_SETS.put(draft, params, version)
    PARAM_VERSION.put(draft, Number(version))


def apply_change(draft: Draft, name: str, value: int) -> int:
    """Put one checked change in force under a new version; return the value before."""
    version = current_version(draft)
    params = params_at(draft, version)
    before = int(getattr(params, name))
    put_params(draft, replace(params, **{name: value}), version + 1)
    return before


def param_values(params: Params) -> dict[str, int]:
    """Return the set by name."""
    return {name: int(getattr(params, name)) for name in PARAMETERS}


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> list[str]:
    """Return a sentence for every parameter out of its range."""
    values = param_values(params_at(draft, current_version(draft)))
    return [
        f"parameter {name} = {values[name]} is out of range"
        for name, item in PARAMETERS.items()
        if not item.value_min <= values[name] <= item.value_max
    ]
