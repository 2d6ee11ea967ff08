"""What the treasury job works with: this signer's secrets, a bitcoin node, and the daemon around it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from node.treasury.host import TreasuryHost
from wallet.transactions import Treasury

ROTATE_BLOCKS = 2
"""A coordinator has two blocks; then the next signer takes over."""


@dataclass(frozen=True, slots=True)
class SignerSecrets:
    """What this signer signs with, and the chain it signs on. Never logged."""

    device_seed: bytes = field(repr=False)
    bitcoin_secret: bytes = field(repr=False)
    chain_id: bytes


class TxStatus(Protocol):
    """Where a transaction is: 0 confirmations and no height while it waits."""

    @property
    def confirmations(self) -> int:
        """Return the number of blocks from its own to the newest."""
        ...

    @property
    def height(self) -> int | None:
        """Return the height of its block."""
        ...


class OutputStatus(Protocol):
    """An output on bitcoin."""

    @property
    def spent_by(self) -> bytes | None:
        """Return the txid that spends it."""
        ...


class BitcoinBackend(Protocol):
    """A bitcoin node as far as the job needs it."""

    async def height(self) -> int:
        """Return the height of the newest block."""
        ...

    async def send_raw(self, raw: bytes) -> bytes:
        """Broadcast; return the txid. The same transaction again is no error."""
        ...

    async def find_tx(self, txid: bytes) -> TxStatus | None:
        """Return where a transaction is, or None."""
        ...

    async def find_output(self, txid: bytes, vout: int) -> OutputStatus | None:
        """Return an output with its spender, or None."""
        ...


@dataclass(slots=True)
class Context:
    """What every part of the job works with."""

    host: TreasuryHost
    bitcoin: BitcoinBackend
    secrets: SignerSecrets
    treasury: Treasury
    refused: Counter[int] = field(default_factory=Counter[int])
    """Messages of each signer that were garbage: the daemon scores its peers by it."""

    def refuse(self, sender: int, reason: str) -> None:
        """Count a message of a signer that is garbage."""
        self.refused[sender] += 1
        self.host.event("treasury_message_refused", signer=sender, reason=reason)

    def is_my_turn(self) -> bool:
        """True while this signer is the coordinator: by height, so that one who is away is replaced."""
        return (self.host.height() // ROTATE_BLOCKS) % len(self.host.signers) == self.host.signer_index
