"""What an attack is: whom it controls, and what they do. `docs/how-to/attack-the-rules.md` shows how to write one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

from governance.simulation.laboratory.book import Book, CaseNote, Line
from governance.simulation.laboratory.setting import Setting
from governance.state.cases import CaseRow


class WorldView(Protocol):
    """What agents see of a world and do in it; `driver.World` is it."""

    setting: Setting
    attack: Attack
    genesis: dict[str, Any]
    book: Book
    height: int

    @property
    def term(self) -> int: ...
    def at(self, height: int, do: Callable[..., object], *args: Any, **fields: Any) -> None: ...
    def act(self, do: str, **fields: Any) -> bool: ...
    def claim(self, claim: str, by: str, provider: str, lines: tuple[Line, ...], **fields: Any) -> bool: ...
    def ballot(
        self, by: str, case: CaseNote, choice: str, *, opened: bool = True, award_cents: int | None = None
    ) -> bool: ...
    def note_auto(self, by: str, case: CaseNote) -> None: ...
    def ledger_case(self, case: CaseNote) -> CaseRow: ...
    def apply(self, name: str, vouchers: Iterable[str]) -> bool: ...
    def if_member(self, name: str, do: Callable[..., object], *args: Any, **fields: Any) -> None: ...
    def is_member(self, name: str) -> bool: ...
    def is_standard(self, code: str) -> bool: ...
    def attackers_now(self) -> frozenset[str]: ...


class Attack:
    """No attack: everybody is honest. Subclasses override what differs; an idle attack has the same people, honest."""

    name: ClassVar[str] = "nobody"
    share_controlled: ClassVar[float] = 0.0
    """Share of the founders whose ballots the attack casts."""

    def __init__(self, setting: Setting, *, is_idle: bool = False, **options: Any) -> None:
        self.setting = setting
        self.is_idle = is_idle
        self.options = options
        self.recruits: frozenset[str] = frozenset()
        """Members who came in under way and belong to the attack."""
        self.watched: tuple[str, ...] = ()
        """Members whose record is noted at every boundary."""

    @property
    def crew(self) -> tuple[str, ...]:
        """That share of the founders, at least one; the same ones in every world of a seed."""
        return self.some(max(1, round(self.share_controlled * self.setting.members))) if self.share_controlled else ()

    @property
    def controlled(self) -> frozenset[str]:
        """The founders whose ballots the attack casts."""
        return frozenset(self.crew)

    def some(self, count: int) -> tuple[str, ...]:
        """Return the last `count` founders."""
        return self.setting.founders[len(self.setting.founders) - count :]

    def found(self, genesis: dict[str, Any]) -> None:
        """Change the genesis line, if the attack needs it."""

    def start(self, world: WorldView) -> None:
        """Get ready before block 1."""

    def at_block(self, world: WorldView) -> None:
        """Act last in a block, knowing all that the honest did in it."""

    def on_case(self, world: WorldView, case: CaseNote) -> None:
        """Hear of a case in its block s."""

    def on_event(self, world: WorldView, event: dict[str, Any]) -> None:
        """Hear of what happened, after the block is closed."""

    def on_applicant(self, world: WorldView, name: str) -> None:
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
