"""The treasury job: payouts on the ledger become a mined bitcoin transaction. Every signer's daemon runs one.

1. The coordinator (a signer, by height: a dead one is replaced two blocks later) proposes which due payouts go out.
2. Each signer builds the transaction itself and attests its body; the coordinator submits `treasury.batch` with enough
   attestations.
3. Once the record is final, each signer rebuilds the transaction *from the ledger*, promises it for its outpoint in the
   journal (fsync), then signs, and sends its partial signature to all; every partial is verified.
4. Whoever has enough combines and broadcasts: the txid is the same whoever signed.
5. When bitcoin confirmed it, the signers attest that, and a coordinator submits `treasury.confirm`.

Nothing but the journal is kept: after a crash each step follows again from the ledger, the journal and bitcoin. Why no
payment is made twice: a batch spends the treasury outpoint, the change of the one before; the ledger accepts one batch
an outpoint, a signer promises one transaction an outpoint, bitcoin confirms one spend of it. While a batch is
unconfirmed no other is proposed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from ledger.errors import MalformedBytes, MutuaError
from node.treasury import messages
from node.treasury.address_lists import AddressLists
from node.treasury.attestations import Attestations
from node.treasury.host import TreasuryHost
from node.treasury.journal import Journal
from node.treasury.paying import Paying
from node.treasury.proposing import Proposing
from node.treasury.protocols import BitcoinBackend, Context, SignerSecrets
from wallet.transactions import Treasury

INBOX_MAX = 256
TICK_S = 2.0
"""The longest time between two passes; the daemon also wakes the job at each block."""


class TreasuryJob:
    """One signer's part. `receive` takes what other signers send; `run` works until cancelled; `wake` at each block."""

    def __init__(self, host: TreasuryHost, bitcoin: BitcoinBackend, secrets: SignerSecrets, journal: Path) -> None:
        treasury = Treasury.of(host.threshold, [signer.bitcoin_key for signer in host.signers], host.network)
        self.context = Context(host, bitcoin, secrets, treasury)
        self._host = host
        self._lists = AddressLists(self.context)
        self._attestations = Attestations(self.context)
        self._proposing = Proposing(self.context, self._lists, self._attestations)
        self.paying = Paying(self.context, self._lists, self._attestations, Journal(journal))
        self.has_worked = False
        """A pass was made to its end."""
        self.last_error: str | None = None
        """Why the last pass ended early; None after a good one."""
        self._inbox_in, self._inbox = trio.open_memory_channel[tuple[int, bytes]](INBOX_MAX)

    @property
    def refused(self) -> Counter[int]:
        """Messages of each signer that were garbage."""
        return self.context.refused

    # ---- What the daemon calls ---------------------------------------------

    def receive(self, signer_index: int, data: bytes) -> None:
        """Queue a message of another signer; a full queue drops it, and it is sent again."""
        try:
            self._inbox_in.send_nowait((signer_index, data))
        except trio.WouldBlock:
            self._host.event("treasury_message_dropped", signer=signer_index)

    def wake(self) -> None:
        """Make a pass soon: a block is final."""
        self.receive(self._host.signer_index, b"")

    async def run(self) -> None:
        """Work until cancelled. A fault of disk, bitcoin or a record is logged and tried again at the next pass."""
        while True:
            await self._guarded(self._pass)
            deadline = trio.current_time() + TICK_S
            while True:
                received: tuple[int, bytes] | None = None
                with trio.move_on_at(deadline):  # only the wait is cut short, never the work
                    received = await self._inbox.receive()
                if received is None or received == (self._host.signer_index, b""):
                    break
                await self._guarded(partial(self.handle, *received))

    async def _pass(self) -> None:
        try:
            await self.step()
        except (MutuaError, OSError) as error:
            self.last_error = str(error)
            raise
        self.has_worked, self.last_error = True, None

    async def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            await work()
        except (MutuaError, OSError) as error:
            self._host.event("treasury_step_failed", code=getattr(error, "code", "os_error"), what=str(error))

    # ---- One pass: every step follows from ledger, journal and bitcoin ---------

    async def step(self) -> None:
        """Do whatever the newest final state asks for. Safe to call at any time and after any crash."""
        due = await self._host.payouts_due()
        opened = await self._host.open_batches()
        payouts = [*due, *(payout for batch in opened for payout in batch.payouts)]
        self._proposing.forget_past()
        self.paying.forget_past(opened)
        self._attestations.forget_but(self._proposing.subjects | self.paying.subjects)
        self._lists.forget_but(payouts)
        await self._lists.open_for(payouts)
        for batch in opened:
            await self.paying.pay(batch)
        if not opened:
            await self._proposing.judge_proposals(due)
            await self._proposing.coordinate(due)

    # ---- What other signers say -------------------------------------------------

    async def handle(self, sender: int, data: bytes) -> None:
        """Take one message of the signer at `sender`. Garbage is counted, never an error."""
        if not 0 <= sender < len(self._host.signers):
            return
        try:
            message = messages.decode_message(data)
        except MalformedBytes:
            self.context.refuse(sender, "malformed")
            return
        await self._handle_message(sender, message)

    async def _handle_message(self, sender: int, message: messages.Message) -> None:
        match message:
            case messages.Propose():
                await self._proposing.hear_proposal(sender, message)
            case messages.Attested() if message.attestation.role == "confirm":
                await self.paying.hear_confirmed(sender, message)
            case messages.Attested():
                await self._proposing.hear_attested(sender, message)
            case messages.Partial():
                await self.paying.hear_partial(sender, message)
            case messages.AddressListRequest():
                have = self._lists.opened(message.commitments)
                if have:
                    await self._host.send(sender, messages.encode_message(messages.AddressListAnswer(have)))
            case messages.AddressListAnswer():
                await self.paying.hear_lists(sender, message)
