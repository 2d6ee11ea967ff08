"""What the treasury job works with: who the signers are, a bitcoin node, and the daemon around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger.records import Attestation
from node.treasury.plan import DuePayout, OpenBatch, Policy
from wallet.transactions import Outpoint, Treasury

ROTATE_BLOCKS = 2
"""A coordinator has two blocks; then the next signer takes over."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A treasury signer as the charter names it: the device key attests, the bitcoin key signs."""

    device_key: bytes
    bitcoin_key: bytes


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


class TreasuryHost(Protocol):
    """What the daemon offers the job. Everything read is of the newest final block."""

    @property
    def signer_index(self) -> int:
        """Return this node's place in `signers`."""
        ...

    @property
    def signers(self) -> Sequence[Signer]:
        """Return the signers in the order of the charter."""
        ...

    @property
    def threshold(self) -> int:
        """Return how many signers it takes."""
        ...

    @property
    def policy(self) -> Policy:
        """Return the figures in force."""
        ...

    @property
    def network(self) -> str:
        """Return the bitcoin network, such as "regtest"."""
        ...

    def height(self) -> int:
        """Return the ledger's newest final height."""
        ...

    def outpoint(self) -> Outpoint | None:
        """Return the treasury outpoint, which the next batch spends, or None while there is no treasury."""
        ...

    async def payouts_due(self) -> Sequence[DuePayout]:
        """Return payouts that are due and in no open batch."""
        ...

    async def open_batches(self) -> Sequence[OpenBatch]:
        """Return batches on the ledger without a confirmation, oldest first."""
        ...

    def blob(self, commitment: bytes) -> bytes | None:
        """Return a sealed address list, if it has arrived."""
        ...

    async def send(self, signer_index: int, data: bytes) -> None:
        """Send bytes to one signer; lost silently when it is away."""
        ...

    async def broadcast(self, data: bytes) -> None:
        """Send bytes to all other signers; lost silently for those who are away."""
        ...

    async def submit(self, kind: str, body: bytes, attestations: tuple[Attestation, ...]) -> None:
        """Put a record of this node into its mempool. A refusal is an error (MutuaError) and changes nothing."""
        ...

    def event(self, name: str, **fields: Any) -> None:
        """Log an event. Never addresses, never secrets."""
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
