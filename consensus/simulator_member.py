"""An honest member of a simulated cluster: its disk, and what it loses with the power."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from hashlib import sha256

from consensus import events as ev
from consensus.candidates import Candidates
from consensus.messages import Cell, Message
from consensus.simulator_byzantine import Final
from consensus.state import State

GENESIS = sha256(b"simulated genesis").digest()


@dataclass(slots=True)
class Member:
    """An honest member: what its disk holds, and what it has in memory until the power goes."""

    index: int
    disk: bytearray
    head: bytes
    chain: list[Final] = field(default_factory=list[Final])
    kept: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """Blocks of this height on the disk: before one is called checked, as `CheckBlock` asks."""
    life: int = 0
    state: State | None = None
    blocks: Candidates[bytes] = field(default_factory=Candidates[bytes])
    later: list[tuple[int, Message]] = field(default_factory=list[tuple[int, Message]])
    inbox: deque[ev.Event] = field(default_factory=deque[ev.Event])
    cells: list[Cell] = field(default_factory=list[Cell])

    @property
    def height(self) -> int:
        """The newest final height."""
        return len(self.chain)

    @property
    def tip(self) -> bytes:
        """The newest final block."""
        return self.chain[-1].certificate.block_hash if self.chain else GENESIS
