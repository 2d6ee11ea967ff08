"""What an attack is: whom it controls, what they do, and how a group of worlds with and without it is judged.

To write one, subclass `Attack`, give it a story, and describe a `Study`: which worlds to play and what to read off
their books. `docs/how-to/attack-the-rules.md` walks through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from governance.simulation.laboratory.book import Book, CaseNote
from governance.simulation.laboratory.setting import Setting

if TYPE_CHECKING:
    from governance.simulation.laboratory.driver import World


class Attack:
    """Nobody's attack: everybody is honest. Subclasses override what differs.

    An idle attack is the same world without it: the same people with the same claims, all of them honest.
    """

    name: ClassVar[str] = "nobody"

    def __init__(self, setting: Setting, *, is_idle: bool = False, **options: Any) -> None:
        self.setting = setting
        self.is_idle = is_idle
        self.options = options
        self.recruits: frozenset[str] = frozenset()
        """Members who came in under way and belong to the attack."""
        self.watched: tuple[str, ...] = ()
        """Members whose record is noted at every boundary."""

    @property
    def controlled(self) -> frozenset[str]:
        """The founders whose ballots the attack casts."""
        return frozenset()

    def some(self, count: int) -> tuple[str, ...]:
        """Return the last `count` founders: the same ones in every world of a seed."""
        return self.setting.founders[len(self.setting.founders) - count :]

    def share(self, share: float) -> tuple[str, ...]:
        """Return a share of the founders, rounded to the nearest whole member, at least one."""
        return self.some(max(1, round(share * self.setting.members)))

    def found(self, genesis: dict[str, Any]) -> None:
        """Change the founding, where the attack needs another one."""

    def start(self, world: World) -> None:
        """Get ready before block 1."""

    def at_block(self, world: World) -> None:
        """Act last in a block, knowing all that the honest did in it."""

    def on_case(self, world: World, case: CaseNote) -> None:
        """Hear of a case in its block s."""

    def on_event(self, world: World, event: dict[str, Any]) -> None:
        """Hear of what happened, after the block is closed."""

    def on_applicant(self, world: World, name: str) -> None:
        """Hear of an honest stranger's application, in its block."""

    def pays(self, name: str) -> bool:
        """True iff this member pays premiums."""
        return True

    def is_ill(self, name: str) -> bool:
        """True iff this member falls ill and files claims like anybody."""
        return True

    def does_duty(self, name: str) -> bool:
        """True iff an honest member answers the call of a panel in this story."""
        return True

    def honest_yes(self, proposal: str) -> float:
        """Return the chance that an honest vote on a proposal is yes."""
        return 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """One world to play."""

    key: str
    """What the study calls it: the attack, its control, a variant."""
    attack: type[Attack]
    setting: Setting
    is_idle: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


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
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    picture: Picture | None = None


Books = Mapping[str, Sequence[Book]]
"""The books of a study by job key, in the order of the seeds."""


@dataclass(frozen=True, slots=True)
class Study:
    """An attack as the laboratory plays and judges it."""

    name: str
    title: str
    story: str
    gains: str
    stopped_by: str
    jobs: Callable[[Setting], Sequence[Job]]
    """The worlds of one seed."""
    judge: Callable[[Books, Setting], Evidence]
