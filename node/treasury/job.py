"""The treasury job: payouts on the ledger become a mined bitcoin transaction. Every signer's daemon runs one.

1. The coordinator (a signer, by height: a dead one is replaced two blocks later) proposes which due payouts go out.
2. Each signer builds the transaction itself and attests its body; the coordinator submits `treasury.batch` with enough
   attestations.
3. Once the record is final, each signer rebuilds the transaction *from the ledger*, promises it for its baton in the
   journal (fsync), then signs, and sends its partial signature to all; every partial is verified.
4. Whoever has enough combines and broadcasts: the txid is the same whoever signed.
5. When bitcoin confirmed it, the signers attest that, and a coordinator submits `treasury.confirm`.

Nothing but the journal is kept: after a crash each step follows again from the ledger, the journal and bitcoin. Why no
payment is made twice: a batch spends the baton, the change of the one before; the ledger accepts one batch a baton, a
signer promises one transaction a baton, bitcoin confirms one spend of it. While a batch is unconfirmed no other is
proposed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import trio

from ledger.codec import encode
from ledger.errors import MalformedBytes, MutuaError
from ledger.records import Attestation, attest, attestation_message
from ledger.signatures import is_signed
from node.sandbox.regtest.client import OutputStatus, TxStatus
from node.treasury.journal import Journal
from node.treasury.messages import (
    BATCH_KIND,
    CONFIRM_KIND,
    Attested,
    ConfirmBody,
    Message,
    Opened,
    OpenedBlob,
    Partial,
    Propose,
    Want,
    confirm_subject,
    decode_message,
    encode_message,
)
from node.treasury.plan import (
    DuePayout,
    OpenBatch,
    Plan,
    Policy,
    build_plan,
    choose,
    is_crowd,
    is_rider,
    payable_of,
    rebuild_plan,
)
from wallet import seal
from wallet.transactions import Outpoint, Treasury, check_partial, combine, sign_all

ROTATE_BLOCKS = 2
"""A coordinator has two blocks; then the next signer takes over."""
LOCKTIME_AHEAD = 2
"""A proposal may be this many bitcoin blocks ahead of what a signer sees."""
INBOX_MAX = 256
PROPOSAL_BLOCKS = 2
"""A proposal that this node cannot follow yet is tried again for so many blocks."""
PROPOSALS_MAX = 8
"""Proposals heard from one signer at one height: each costs a transaction built, and an honest one needs two."""
PARTIALS_MAX = 8
"""Partial signatures kept for one signer, by txid: they may come before the block that this node waits for."""
TICK_S = 2.0
"""A pass is made at least so often; the daemon also wakes the job at each block."""

T = TypeVar("T")
__all__ = [
    "BitcoinBackend",
    "DuePayout",
    "OpenBatch",
    "Policy",
    "Signer",
    "SignerSecrets",
    "TreasuryHost",
    "TreasuryJob",
]


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


class BitcoinBackend(Protocol):
    """A bitcoin node as far as the job needs it: `node.sandbox.regtest.client.RegtestClient` is one."""

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

    def baton(self) -> Outpoint | None:
        """Return the coin that the next batch spends (with its amount), or None while there is no treasury."""
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


class TreasuryJob:
    """One signer's part.

    `receive` takes what other signers send; `run` works until cancelled; `wake` at each new block.
    """

    def __init__(self, host: TreasuryHost, bitcoin: BitcoinBackend, secrets: SignerSecrets, journal_path: Path) -> None:
        self._host = host
        self._bitcoin = bitcoin
        self._secrets = secrets
        self._journal = Journal(journal_path)
        self._treasury = Treasury.of(host.threshold, [signer.bitcoin_key for signer in host.signers], host.network)
        self._lists: dict[bytes, tuple[bytes, ...]] = {}
        """Open address lists by commitment, with their keys and blobs beside."""
        self._opened: dict[bytes, OpenedBlob] = {}
        self._proposals: dict[int, tuple[int, Propose]] = {}
        """The newest unjudged proposal of each signer, with the height at which it came (it may be ahead of this node).
        """
        self._heard = Counter[tuple[int, int]]()
        self._plans: dict[int, Plan] = {}
        """Plans over the present baton that this signer attested: the newest of each proposer, so that none can crowd
        out others."""
        self._attested: dict[bytes, dict[bytes, Attestation]] = {}
        """Attestations by subject, then by device key; verified."""
        self._partials: dict[int, dict[bytes, tuple[bytes, ...]]] = {}
        """Partial signatures by signer, then by txid; verified when the batch is known."""
        self._confirms: dict[int, Attested] = {}
        """The newest confirmation attestation of each signer; verified when this node sees the same."""
        self._confirming: dict[bytes, ConfirmBody] = {}
        """What this signer attested about the confirmation of each open batch, by txid."""
        self._signing: dict[bytes, Plan] = {}
        """Plans of the open batches, rebuilt from the ledger."""
        self._submitted: dict[bytes, int] = {}
        self.refused = Counter[int]()
        """Messages of each signer that were garbage: the daemon scores its peers by it."""
        self.has_worked = False
        """A pass was made to its end."""
        self.last_error: str | None = None
        """Why the last pass ended early; None after a good one."""
        self._inbox_in, self._inbox = trio.open_memory_channel[tuple[int, bytes]](INBOX_MAX)

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
        self._forget(due, opened)
        await self._open_lists([*due, *(payout for batch in opened for payout in batch.payouts)])
        for batch in opened:
            await self._pay(batch)
        if not opened:
            await self._judge_proposals(due)
            await self._coordinate(due)

    def _forget(self, due: Sequence[DuePayout], opened: Sequence[OpenBatch]) -> None:
        """Drop what belongs to past batons and paid batches, so that memory stays bounded."""
        baton = self._host.baton()
        live = {batch.body.unsigned_txid for batch in opened}
        self._plans = {
            index: plan for index, plan in self._plans.items() if baton is not None and _is_over(plan, baton)
        }
        self._proposals = {
            index: item for index, item in self._proposals.items() if item[0] + PROPOSAL_BLOCKS >= self._host.height()
        }
        self._heard = Counter({at: count for at, count in self._heard.items() if at[0] == self._host.height()})
        self._confirming = {txid: body for txid, body in self._confirming.items() if txid in live}
        subjects = {plan.subject for plan in self._plans.values()} | {
            confirm_subject(body) for body in self._confirming.values()
        }
        self._attested = {subject: kept for subject, kept in self._attested.items() if subject in subjects}
        self._signing = {txid: plan for txid, plan in self._signing.items() if txid in live}
        self._confirms = {
            index: item for index, item in self._confirms.items() if not opened or item.unsigned_txid in live
        }
        if len(self._submitted) > 1000:
            self._submitted.clear()
        names = {payout.commitment for payout in due} | {
            payout.commitment for batch in opened for payout in batch.payouts
        }
        self._lists = {name: value for name, value in self._lists.items() if name in names}
        self._opened = {name: value for name, value in self._opened.items() if name in names}

    # ---- Address lists ------------------------------------------------------

    async def _open_lists(self, payouts: Sequence[DuePayout]) -> None:
        """Open the sealed lists that have arrived and have an entry for this signer."""
        for payout in payouts:
            name = payout.commitment
            if name in self._lists or is_rider(payout, self._host.policy):
                continue
            blob = self._host.blob(name)
            if blob is None:
                continue
            try:
                key = await _in_thread(seal.open_key, blob, self._secrets.device_seed)
                self._take_list(OpenedBlob(name, key, blob))
            except MalformedBytes as error:
                self._host.event("treasury_list_closed", commitment=name.hex(), code=error.code)

    def _take_list(self, item: OpenedBlob) -> None:
        """Keep an opened list; MalformedBytes unless commitment, key and list agree."""
        if item.commitment in self._lists:
            return
        if seal.commitment_of(item.blob) != item.commitment:
            raise MalformedBytes(
                "blob_commitment", "a sealed list is not the one that was named", "send the blob of the claim"
            )
        self._lists[item.commitment] = seal.open_with_key(item.blob, item.key)
        self._opened[item.commitment] = item

    # ---- Proposing and attesting ------------------------------------------------

    async def _coordinate(self, due: Sequence[DuePayout]) -> None:
        """In this signer's turn: submit a batch that has enough attestations, or propose one."""
        baton = self._host.baton()
        if baton is None or not self._is_my_turn():
            return
        ready = [
            plan
            for _, plan in sorted(self._plans.items())
            if len(self._attested.get(plan.subject, {})) >= self._host.threshold
        ]
        if ready:
            await self._submit(BATCH_KIND, ready[0].record_body, ready[0].subject)
            return
        chosen = choose(due, self._lists, self._host.height(), self._host.policy)
        plan = next(
            (
                plan
                for _, plan in sorted(self._plans.items())
                if _ids(plan) == sorted(item.payout_id for item in chosen)
            ),
            None,
        )
        if plan is None and chosen:
            plan = await self._plan_within_means(baton, chosen)
        if plan is not None and chosen:
            await self._propose(plan)

    async def _plan_within_means(self, baton: Outpoint, chosen: list[DuePayout]) -> Plan | None:
        """Return a plan of as many of `chosen`, oldest first, as the treasury's coin can pay."""
        locktime = await self._bitcoin.height()
        while chosen:
            try:
                return await _in_thread(
                    build_plan, self._treasury, baton, chosen, self._lists, self._host.policy, locktime=locktime
                )
            except MutuaError as error:
                if error.code != "treasury_short":
                    raise
                chosen = chosen[: len(chosen) // 2]
                self._host.event("treasury_short", payees=len(chosen))
        return None

    async def _propose(self, plan: Plan) -> None:
        """Send a plan with the keys of its lists to all signers; attest it."""
        body = plan.body
        due = {payout.payout_id: payout for payout in await self._host.payouts_due()}
        names = sorted({due[row.payout_id].commitment for row in body.payouts if row.payout_id in due and row.outputs})
        opened = tuple(self._opened[name] for name in names if name in self._opened)
        message = Propose(
            body.baton_txid, body.baton_vout, body.locktime, tuple(row.payout_id for row in body.payouts), opened
        )
        self._host.event("treasury_batch_proposed", txid=plan.txid.hex(), payees=len(body.payouts))
        await self._host.broadcast(encode_message(message))
        await self._attest_plan(self._host.signer_index, plan)

    async def _judge_proposals(self, due: Sequence[DuePayout]) -> None:
        """Attest the proposals of others that this signer would have made itself; keep those of a height to come."""
        for sender, (_, proposal) in sorted(self._proposals.items(), key=lambda item: item[0]):
            try:
                plan = await self._judge(proposal, {payout.payout_id: payout for payout in due})
            except MutuaError as error:
                self._host.event("treasury_proposal_refused", signer=sender, code=error.code, what=error.what)
                continue
            del self._proposals[sender]
            await self._attest_plan(sender, plan)

    async def _judge(self, proposal: Propose, due: Mapping[bytes, DuePayout]) -> Plan:
        """Return the plan of a proposal.

        MutuaError when it breaks the crowd rule, or spends or pays what the ledger does not know.
        """
        baton, policy = self._host.baton(), self._host.policy
        if baton is None or (proposal.baton_txid, proposal.baton_vout) != (baton.txid, baton.vout):
            raise MutuaError(
                "proposal_baton", "it spends another coin than the ledger's baton", "wait for the next block"
            )
        if len(set(proposal.payout_ids)) != len(proposal.payout_ids) or not all(
            name in due for name in proposal.payout_ids
        ):
            raise MutuaError("proposal_payouts", "it pays something that is not due here", "wait for the next block")
        if proposal.locktime > await self._bitcoin.height() + LOCKTIME_AHEAD:
            raise MutuaError(
                "proposal_locktime", "its locktime is in the future", "use the height of the newest bitcoin block"
            )
        payouts = [due[name] for name in proposal.payout_ids]
        names = {payout.commitment for payout in payouts}
        for item in proposal.opened:
            if item.commitment in names:
                self._take_list(item)
        paid, payable = payable_of(payouts, self._lists, policy), payable_of(list(due.values()), self._lists, policy)
        is_affordable = sum(payout.amount_sat for payout in payable) < baton.amount_sat // 10 * 9
        is_thin = (
            is_affordable and len(paid) < min(policy.crowd_payees, len(payable)) // 2
        )  # half: the proposer may lack some lists
        if is_thin or not is_crowd(paid, self._host.height() + 1, policy):
            raise MutuaError("proposal_crowd", f"{len(paid)} payees are no crowd", "wait for more payees or blocks")
        return await _in_thread(
            build_plan, self._treasury, baton, payouts, self._lists, policy, locktime=proposal.locktime
        )

    async def _attest_plan(self, proposer: int, plan: Plan) -> None:
        """Say to all that this signer builds the same batch."""
        self._plans[proposer] = plan
        item = attest(self._secrets.device_seed, self._secrets.chain_id, "batch", plan.subject)
        self._attested.setdefault(plan.subject, {})[item.key] = item
        await self._host.broadcast(encode_message(Attested(plan.txid, item)))
        await self._submit_if_ready(plan)

    async def _submit_if_ready(self, plan: Plan) -> None:
        if self._is_my_turn() and len(self._attested.get(plan.subject, {})) >= self._host.threshold:
            await self._submit(BATCH_KIND, plan.record_body, plan.subject)

    async def _submit(self, kind: str, body: bytes, subject: bytes) -> None:
        """Submit a record with exactly `threshold` attestations, once a height: it may have been lost with a node."""
        height = self._host.height()
        if self._submitted.get(subject) == height:
            return
        attestations = tuple(item for _, item in sorted(self._attested[subject].items()))[: self._host.threshold]
        await self._host.submit(kind, body, attestations)
        self._submitted[subject] = height
        self._host.event("treasury_record_submitted", kind=kind)

    # ---- Paying a batch that is on the ledger -------------------------------------

    async def _pay(self, opened: OpenBatch) -> None:
        """Sign, exchange, combine, broadcast and confirm one open batch, as far as it goes now."""
        txid = opened.body.unsigned_txid
        status = await self._bitcoin.find_tx(txid)
        if status is not None and status.confirmations >= self._host.policy.confirmations and status.height is not None:
            await self._confirm(opened, status.height)
            return
        coin = await self._bitcoin.find_output(opened.body.baton_txid, opened.body.baton_vout)
        if coin is not None and coin.spent_by not in {None, txid}:
            self._host.event(
                "treasury_baton_spent_elsewhere",
                txid=txid.hex(),
                by="" if coin.spent_by is None else coin.spent_by.hex(),
            )
            return
        plan = await self._plan_of(opened)
        if plan is None:
            return
        await _in_thread(self._journal.promise, opened.body.baton_txid, opened.body.baton_vout, txid)
        mine = await _in_thread(sign_all, plan.batch, self._secrets.bitcoin_secret)
        self._partials.setdefault(self._host.signer_index, {})[txid] = mine
        if status is None:
            await self._host.broadcast(encode_message(Partial(txid, mine)))
            await self._broadcast_if_signed(plan)

    async def _plan_of(self, opened: OpenBatch) -> Plan | None:
        """Return the plan rebuilt from the ledger; None while an address list is missing (it is asked for)."""
        txid = opened.body.unsigned_txid
        if txid in self._signing:
            return self._signing[txid]
        paid = {row.payout_id for row in opened.body.payouts if row.outputs}
        missing = sorted(
            {
                item.commitment
                for item in opened.payouts
                if item.payout_id in paid and item.commitment not in self._lists
            }
        )
        if missing:
            await self._host.broadcast(encode_message(Want(tuple(missing))))
            return None
        plan = await _in_thread(rebuild_plan, self._treasury, opened, self._lists, self._host.policy)
        self._signing[txid] = plan
        return plan

    async def _broadcast_if_signed(self, plan: Plan) -> None:
        """Combine and broadcast once enough partials are valid; invalid ones are dropped and counted."""
        found: dict[bytes, tuple[bytes, ...]] = {}
        for index, signer in enumerate(self._host.signers):
            signatures = self._partials.get(index, {}).get(plan.txid)
            if signatures is None:
                continue
            if await _in_thread(check_partial, plan.batch, signer.bitcoin_key, signatures):
                found[signer.bitcoin_key] = signatures
            else:
                self._refuse(index, "partial_invalid")
                del self._partials[index][plan.txid]
        if len(found) >= self._host.threshold:
            raw = await _in_thread(combine, plan.batch, found)
            await self._bitcoin.send_raw(raw)
            self._host.event("treasury_batch_broadcast", txid=plan.txid.hex(), signers=len(found))

    async def _confirm(self, opened: OpenBatch, block_height: int) -> None:
        """Attest that bitcoin confirmed a batch."""
        body = ConfirmBody(opened.body.unsigned_txid, self._host.policy.confirmations, block_height)
        subject = confirm_subject(body)
        item = attest(self._secrets.device_seed, self._secrets.chain_id, "confirm", subject)
        self._confirming[body.unsigned_txid] = body
        self._attested.setdefault(subject, {})[item.key] = item
        await self._host.broadcast(encode_message(Attested(body.unsigned_txid, item)))
        await self._submit_confirmation(body)

    async def _submit_confirmation(self, body: ConfirmBody) -> None:
        """Count what others attested about the same confirmation; submit the record in this signer's turn."""
        subject = confirm_subject(body)
        for index, heard in self._confirms.items():
            if heard.unsigned_txid == body.unsigned_txid:
                self._take_attestation(index, "confirm", subject, heard.attestation)
        if self._is_my_turn() and len(self._attested[subject]) >= self._host.threshold:
            await self._submit(CONFIRM_KIND, encode(body), subject)

    # ---- What other signers say -------------------------------------------------

    async def handle(self, sender: int, data: bytes) -> None:
        """Take one message of the signer at `sender`. Garbage is counted, never an error."""
        if not 0 <= sender < len(self._host.signers):
            return
        try:
            message = decode_message(data)
        except MalformedBytes:
            self._refuse(sender, "malformed")
            return
        await self._handle_message(sender, message)

    async def _handle_message(self, sender: int, message: Message) -> None:
        match message:
            case Propose():
                at = (self._host.height(), sender)
                self._heard[at] += 1
                if self._heard[at] > PROPOSALS_MAX:
                    self._refuse(sender, "proposals_flood")
                    return
                self._proposals[sender] = (self._host.height(), message)
                if not await self._host.open_batches():
                    await self._judge_proposals(await self._host.payouts_due())
            case Attested() if message.attestation.role == "confirm":
                self._confirms[sender] = message
                seen = self._confirming.get(message.unsigned_txid)
                if seen is not None:
                    await self._submit_confirmation(seen)
            case Attested():
                plan = next((plan for plan in self._plans.values() if plan.txid == message.unsigned_txid), None)
                if plan is not None and self._take_attestation(sender, "batch", plan.subject, message.attestation):
                    await self._submit_if_ready(plan)
            case Partial():
                kept = self._partials.setdefault(sender, {})
                kept.pop(message.unsigned_txid, None)
                kept[message.unsigned_txid] = message.signatures
                while len(kept) > PARTIALS_MAX:
                    del kept[next(iter(kept))]
                plan = self._signing.get(message.unsigned_txid)
                if plan is not None and await self._bitcoin.find_tx(plan.txid) is None:
                    await self._broadcast_if_signed(plan)
            case Want():
                have = tuple(self._opened[name] for name in message.commitments if name in self._opened)
                if have:
                    await self._host.send(sender, encode_message(Opened(have)))
            case Opened():
                await self._handle_opened(sender, message)

    async def _handle_opened(self, sender: int, message: Opened) -> None:
        """Keep lists that an open batch needs; go on with it."""
        opened = await self._host.open_batches()
        needed = {payout.commitment for batch in opened for payout in batch.payouts}
        try:
            for item in message.opened:
                if item.commitment in needed:
                    self._take_list(item)
        except MalformedBytes:
            self._refuse(sender, "list")
            return
        for batch in opened:
            await self._pay(batch)

    def _take_attestation(self, sender: int, role: str, subject: bytes, item: Attestation) -> bool:
        """Keep a verified attestation of `subject` by the sender; True iff it is one.

        Another height's confirmation is no fault.
        """
        if item.key != self._host.signers[sender].device_key or item.role != role or item.subject_hash != subject:
            return False
        if not is_signed(
            item.key, item.signature, "attestation", self._secrets.chain_id, attestation_message(role, subject)
        ):
            self._refuse(sender, "attestation")
            return False
        self._attested.setdefault(subject, {})[item.key] = item
        return True

    def _refuse(self, sender: int, reason: str) -> None:
        self.refused[sender] += 1
        self._host.event("treasury_message_refused", signer=sender, reason=reason)

    def _is_my_turn(self) -> bool:
        return (self._host.height() // ROTATE_BLOCKS) % len(self._host.signers) == self._host.signer_index


# ---- Helpers ------------------------------------------------------------------


def _is_over(plan: Plan, baton: Outpoint) -> bool:
    """True iff a plan spends this baton."""
    return (plan.body.baton_txid, plan.body.baton_vout) == (baton.txid, baton.vout)


def _ids(plan: Plan) -> list[bytes]:
    return sorted(row.payout_id for row in plan.body.payouts)


async def _in_thread(work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Run blocking work (bitcoinlib, fsync) in a thread."""
    return await trio.to_thread.run_sync(partial(work, *arguments, **named))
