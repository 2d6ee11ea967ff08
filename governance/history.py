"""A ledger's history as governance sees it: final blocks to be replayed."""

from __future__ import annotations

from dataclasses import dataclass

from governance.acts import Act


@dataclass(frozen=True, slots=True)
class PastBlock:
    """A final block. `randomness` is R_h."""

    height: int
    randomness: bytes
    acts: tuple[Act, ...]
