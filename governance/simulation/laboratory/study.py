"""How an attack is measured: the worlds to play with and without it, the checks of their books, findings, a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack
from governance.simulation.laboratory.book import Book
from governance.simulation.laboratory.setting import Setting

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One world to play for each seed."""

    key: str
    """What the study calls it: the attack, its control, a variant."""
    attack: type[Attack]
    options: Options = field(default_factory=dict[str, Any])
    """Of the attack."""
    is_idle: bool = False
    changes: Options = field(default_factory=dict[str, Any])
    """Fields of the setting that are others in this world."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a row of rules §13 asks: in words, as measured, and whether it is met."""

    row: int
    what: str
    asked: str
    measured: str
    is_met: bool | None
    """None: nobody measured it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of a picture. Kinds: line, step, points, bars, hline, vline. Roles: attacker, honest, other, bound."""

    kind: str
    role: str
    label: str
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


def curve(kind: str, role: str, label: str, points: Iterable[tuple[float, float]]) -> Layer:
    """Return a layer through (x, y) points."""
    found = tuple(points)
    return Layer(kind, role, label, tuple(x for x, _ in found), tuple(y for _, y in found))


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that says one thing."""

    title: str
    x_label: str
    y_label: str
    layers: tuple[Layer, ...]
    y_log: bool = False
    x_log: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a study found: checks for the table, findings beyond it, figures, a picture."""

    checks: tuple[Check, ...]
    findings: tuple[str, ...] = ()
    figures: Options = field(default_factory=dict[str, Any])
    picture: Picture | None = None


Books = Mapping[str, Sequence[Book]]
"""The books of a study by job key, in the order of the seeds."""


@dataclass(frozen=True, slots=True)
class Study:
    """An attack as the laboratory plays and judges it."""

    name: str
    title: str
    story: str
    jobs: Sequence[Job]
    judge: Callable[[Books, Setting], Evidence]
