"""A ledger's final blocks as governance lives through them once more: to rehearse a rule change, and for receipts."""

from __future__ import annotations

from collections.abc import Iterator

from governance.acts import Act, act_of
from governance.history import PastBlock
from ledger.chain import Chain
from ledger.errors import REBUILD, LedgerCorrupt, MutuaError


def past_blocks(chain: Chain, last: int | None = None) -> Iterator[PastBlock]:
    """Yield the blocks 1 .. `last` (None: the tip). LedgerCorrupt `block_missing`; MutuaError `body_missing`."""
    for height in range(1, (chain.height if last is None else last) + 1):
        header, whole = chain.header(height), chain.block_with_bodies(height)
        assert header is not None, "Chain.open has seen every header"
        if whole is None:
            raise LedgerCorrupt("block_missing", f"block {height} is not in the ledger", REBUILD)
        acts: list[Act] = []
        for record, body in zip(whole.block.records, whole.bodies, strict=True):
            if body is None:
                what = f"the body of a {record.kind} record of block {height} is not here"
                raise MutuaError("body_missing", what, "use an archive copy")
            acts.append(act_of(record, body))
        yield PastBlock(height, header.randomness, tuple(acts))
