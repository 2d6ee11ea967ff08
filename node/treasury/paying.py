"""Batches on the ledger: signed, combined, broadcast and confirmed, as far as it goes at each pass.

Before it signs, each signer promises its journal the one transaction that may ever spend the batch's outpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from ledger.codec import encode
from ledger.errors import MalformedBytes
from node.treasury import messages
from node.treasury.address_lists import AddressLists
from node.treasury.attestations import Attestations
from node.treasury.journal import Journal
from node.treasury.plan import OpenBatch, Plan, rebuild_plan
from node.treasury.protocols import Context
from wallet.transactions import check_partial, combine, sign_all

PARTIALS_MAX = 8
"""Partial signatures kept for one signer, by txid: they may come before the block that this node waits for."""


class Paying:
    """Plans, partial signatures and confirmations of the open batches."""

    def __init__(self, context: Context, lists: AddressLists, attestations: Attestations, journal: Journal) -> None:
        self._context = context
        self._lists = lists
        self._attestations = attestations
        self.journal = journal
        self._plans: dict[bytes, Plan] = {}
        """Plans rebuilt from the ledger, by txid."""
        self._partials: dict[int, dict[bytes, tuple[bytes, ...]]] = {}
        """Partial signatures by signer, then by txid; verified when the batch is known."""
        self._confirms: dict[int, messages.Attested] = {}
        """The newest confirmation attestation of each signer; verified when this node sees the same."""
        self._confirming: dict[bytes, messages.ConfirmBody] = {}
        """What this signer attested about the confirmation of each batch, by txid."""

    @property
    def subjects(self) -> set[bytes]:
        """What this signer attested of confirmations."""
        return {messages.confirm_subject(body) for body in self._confirming.values()}

    def forget_past(self, opened: Sequence[OpenBatch]) -> None:
        """Drop what belongs to paid batches, so that memory stays bounded."""
        live = {batch.body.unsigned_txid for batch in opened}
        self._confirming = {txid: body for txid, body in self._confirming.items() if txid in live}
        self._plans = {txid: plan for txid, plan in self._plans.items() if txid in live}
        if opened:
            self._confirms = {index: item for index, item in self._confirms.items() if item.unsigned_txid in live}

    # ---- Signing -----------------------------------------------------------------

    async def pay(self, opened: OpenBatch) -> None:
        """Sign, exchange, combine, broadcast and confirm one open batch, as far as it goes now."""
        body, host, bitcoin = opened.body, self._context.host, self._context.bitcoin
        txid = body.unsigned_txid
        status = await bitcoin.find_tx(txid)
        if status is not None and status.confirmations >= host.policy.confirmations and status.height is not None:
            await self._confirm(opened, status.height)
            return
        output = await bitcoin.find_output(body.baton_txid, body.baton_vout)
        if output is not None and output.spent_by is not None and output.spent_by != txid:
            host.event("treasury_baton_spent_elsewhere", txid=txid.hex(), by=output.spent_by.hex())
            return
        plan = await self._plan_of(opened)
        if plan is None:
            return
        await trio.to_thread.run_sync(self.journal.promise, body.baton_txid, body.baton_vout, txid)
        mine = await trio.to_thread.run_sync(sign_all, plan.batch, self._context.secrets.bitcoin_secret)
        self._partials.setdefault(host.signer_index, {})[txid] = mine
        if status is None:
            await host.broadcast(messages.encode_message(messages.Partial(txid, mine)))
            await self._broadcast_if_signed(plan)

    async def _plan_of(self, opened: OpenBatch) -> Plan | None:
        """Return the plan rebuilt from the ledger; None while an address list is missing (it is asked for)."""
        txid, host, programs = opened.body.unsigned_txid, self._context.host, self._lists.programs
        if txid in self._plans:
            return self._plans[txid]
        paid = {row.payout_id for row in opened.body.payouts if row.outputs}
        missing = {item.commitment for item in opened.payouts if item.payout_id in paid} - programs.keys()
        if missing:
            await host.broadcast(messages.encode_message(messages.AddressListRequest(tuple(sorted(missing)))))
            return None
        plan = await trio.to_thread.run_sync(rebuild_plan, self._context.treasury, opened, programs, host.policy)
        self._plans[txid] = plan
        return plan

    async def _broadcast_if_signed(self, plan: Plan) -> None:
        """Combine and broadcast once enough partials are valid; invalid ones are dropped and counted."""
        host = self._context.host
        found: dict[bytes, tuple[bytes, ...]] = {}
        for index, signer in enumerate(host.signers):
            signatures = self._partials.get(index, {}).get(plan.txid)
            if signatures is None:
                continue
            if await trio.to_thread.run_sync(check_partial, plan.batch, signer.bitcoin_key, signatures):
                found[signer.bitcoin_key] = signatures
            else:
                self._context.refuse(index, "partial_invalid")
                del self._partials[index][plan.txid]
        if len(found) >= host.threshold:
            raw = await trio.to_thread.run_sync(combine, plan.batch, found)
            await self._context.bitcoin.send_raw(raw)
            host.event("treasury_batch_broadcast", txid=plan.txid.hex(), signers=len(found))

    async def hear_partial(self, sender: int, message: messages.Partial) -> None:
        """Keep the newest partial signatures of a signer; broadcast if they were the ones missing."""
        kept = self._partials.setdefault(sender, {})
        kept.pop(message.unsigned_txid, None)
        kept[message.unsigned_txid] = message.signatures
        while len(kept) > PARTIALS_MAX:
            del kept[next(iter(kept))]
        plan = self._plans.get(message.unsigned_txid)
        if plan is not None and await self._context.bitcoin.find_tx(plan.txid) is None:
            await self._broadcast_if_signed(plan)

    async def hear_lists(self, sender: int, message: messages.AddressListAnswer) -> None:
        """Keep lists that an open batch needs; go on with it."""
        opened = await self._context.host.open_batches()
        needed = {payout.commitment for batch in opened for payout in batch.payouts}
        try:
            for item in message.opened:
                if item.commitment in needed:
                    self._lists.take(item)
        except MalformedBytes:
            self._context.refuse(sender, "list")
            return
        for batch in opened:
            await self.pay(batch)

    # ---- Confirming ---------------------------------------------------------------

    async def _confirm(self, opened: OpenBatch, block_height: int) -> None:
        """Attest that bitcoin confirmed a batch."""
        host = self._context.host
        body = messages.ConfirmBody(opened.body.unsigned_txid, host.policy.confirmations, block_height)
        self._confirming[body.unsigned_txid] = body
        item = self._attestations.sign("confirm", messages.confirm_subject(body))
        await host.broadcast(messages.encode_message(messages.Attested(body.unsigned_txid, item)))
        await self._submit_confirmation(body)

    async def hear_confirmed(self, sender: int, message: messages.Attested) -> None:
        """Keep another signer's confirmation attestation; count it if this signer attested the same."""
        self._confirms[sender] = message
        body = self._confirming.get(message.unsigned_txid)
        if body is not None:
            await self._submit_confirmation(body)

    async def _submit_confirmation(self, body: messages.ConfirmBody) -> None:
        """Count what others attested about the same confirmation; submit the record in this signer's turn."""
        subject = messages.confirm_subject(body)
        for index, heard in self._confirms.items():
            if heard.unsigned_txid == body.unsigned_txid:
                self._attestations.take(index, "confirm", subject, heard.attestation)
        await self._attestations.submit_in_turn(messages.CONFIRM_KIND, encode(body), subject)
