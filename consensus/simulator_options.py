"""What goes wrong in a simulated run, drawn from its seed, and how it went."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Options:
    """What goes wrong in a run, and how much."""

    seed: int
    size: int
    heights: int
    byzantine: int | None
    is_byzantine_gone: bool
    """Once the network is whole, the Byzantine member is silent for ever, and what it alone holds is lost."""
    has_observer: bool
    chaos_ms: int
    loss: float
    duplicates: float
    delay_max_ms: int
    slow: float
    """Share of messages that take up to four seconds."""
    crash: float
    """Chance of losing power before any one effect."""
    split_every_ms: int
    """0: the network never splits."""
    storm_every_ms: int
    """0: never. Else all members lose power at once, about so often."""
    flood: int
    """Proposals of its own next view that the Byzantine member signs and sends to everybody, again and again."""


def options_of(seed: int) -> Options:
    """Return the options of a seed: each run has its own mix, some have hardly any fault."""
    rng = Random(f"options {seed}")  # noqa: S311  # chance that can be repeated is the point
    size = 7 if rng.random() < 0.08 else 4
    return Options(
        seed=seed,
        size=size,
        heights=2 if size == 7 else 3,
        byzantine=rng.randrange(size) if rng.random() < 0.7 else None,
        is_byzantine_gone=rng.random() < 0.5,
        has_observer=rng.random() < 0.1,
        chaos_ms=rng.choice((2_000, 5_000, 9_000)),
        loss=rng.choice((0.0, 0.1, 0.3, 0.5)),
        duplicates=rng.choice((0.0, 0.05, 0.3)),
        delay_max_ms=rng.choice((20, 100, 400)),
        slow=rng.choice((0.0, 0.02, 0.1)),
        crash=rng.choice((0.0, 0.01, 0.03, 0.08)),
        split_every_ms=rng.choice((0, 300, 1_000)),
        storm_every_ms=rng.choice((0, 0, 400, 1_500)),
        flood=300 if rng.random() < 0.1 else 0,
    )


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went."""

    options: Options
    simulated_ms: int
    event_count: int
    crash_count: int
    view_max: int
    trace: str
    """Digest over everything that was sent and committed, in order."""
