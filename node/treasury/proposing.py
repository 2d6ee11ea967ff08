"""Batches before they are on the ledger: a coordinator proposes one, each signer builds and attests the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import trio

from ledger.errors import MutuaError
from node.treasury.address_lists import AddressLists
from node.treasury.attestations import Attestations
from node.treasury.messages import BATCH_KIND, Attested, Propose, encode_message
from node.treasury.plan import DuePayout, Plan, build_plan, choose, is_anonymity_set_reached, payable_of
from node.treasury.protocols import Context
from wallet.transactions import Outpoint

LOCKTIME_AHEAD = 2
"""A proposal may be this many bitcoin blocks ahead of what a signer sees."""
PROPOSAL_BLOCKS = 2
"""The number of blocks for which a proposal that this node cannot follow yet is tried again."""
PROPOSALS_MAX = 8
"""Proposals heard from one signer at one height: each costs a transaction built, and an honest one needs two."""


class Proposing:
    """Proposals and plans over the present treasury outpoint."""

    def __init__(self, context: Context, lists: AddressLists, attestations: Attestations) -> None:
        self._context = context
        self._lists = lists
        self._attestations = attestations
        self._proposals: dict[int, tuple[int, Propose]] = {}
        """The newest unjudged proposal of each signer and the height at which it came; it may be ahead of this node."""
        self._heard = Counter[tuple[int, int]]()
        self._plans: dict[int, Plan] = {}
        """Plans that this signer attested: the newest of each proposer, so that none can crowd out others."""

    @property
    def subjects(self) -> set[bytes]:
        """What this signer attested of batches."""
        return {plan.subject for plan in self._plans.values()}

    def forget_past(self) -> None:
        """Drop plans over past outpoints and proposals of past heights, so that memory stays bounded."""
        outpoint, height = self._context.host.outpoint(), self._context.host.height()
        self._plans = {index: plan for index, plan in self._plans.items() if outpoint and plan.spends(outpoint)}
        recent = height - PROPOSAL_BLOCKS
        self._proposals = {index: item for index, item in self._proposals.items() if item[0] >= recent}
        self._heard = Counter({at: count for at, count in self._heard.items() if at[0] == height})

    # ---- As the coordinator -----------------------------------------------------

    async def coordinate(self, due: Sequence[DuePayout]) -> None:
        """In this signer's turn: submit a batch that has enough attestations, or propose one."""
        host = self._context.host
        outpoint = host.outpoint()
        if outpoint is None or not self._context.is_my_turn():
            return
        plans = [plan for _, plan in sorted(self._plans.items())]
        ready = next((plan for plan in plans if self._attestations.are_enough(plan.subject)), None)
        if ready is not None:
            await self._attestations.submit(BATCH_KIND, ready.record_body, ready.subject)
            return
        chosen = choose(due, self._lists.programs, host.height(), host.policy)
        if not chosen:
            return
        ids = sorted(item.payout_id for item in chosen)
        plan = next((plan for plan in plans if sorted(row.payout_id for row in plan.body.payouts) == ids), None)
        plan = plan or await self._plan_within_means(outpoint, chosen)
        if plan is not None:
            await self._propose(plan)

    async def _plan_within_means(self, outpoint: Outpoint, chosen: list[DuePayout]) -> Plan | None:
        """Return a plan of as many of `chosen`, oldest first, as the treasury can pay."""
        locktime = await self._context.bitcoin.height()
        while chosen:
            try:
                return await self._build(outpoint, chosen, locktime)
            except MutuaError as error:
                if error.code != "treasury_short":
                    raise
                chosen = chosen[: len(chosen) // 2]
                self._context.host.event("treasury_short", payees=len(chosen))
        return None

    async def _build(self, outpoint: Outpoint, payouts: list[DuePayout], locktime: int) -> Plan:
        """Build a plan in a thread: bitcoinlib takes its time."""
        treasury, programs, policy = self._context.treasury, self._lists.programs, self._context.host.policy
        build = partial(build_plan, treasury, outpoint, payouts, programs, policy, locktime=locktime)
        return await trio.to_thread.run_sync(build)

    async def _propose(self, plan: Plan) -> None:
        """Send a plan with the keys of its lists to all signers; attest it."""
        body, host = plan.body, self._context.host
        due = {payout.payout_id: payout for payout in await host.payouts_due()}
        names = sorted({due[row.payout_id].commitment for row in body.payouts if row.payout_id in due and row.outputs})
        ids = tuple(row.payout_id for row in body.payouts)
        message = Propose(body.baton_txid, body.baton_vout, body.locktime, ids, self._lists.opened(names))
        host.event("treasury_batch_proposed", txid=plan.txid.hex(), payees=len(body.payouts))
        await host.broadcast(encode_message(message))
        await self._attest(host.signer_index, plan)

    # ---- As every signer --------------------------------------------------------

    async def hear_proposal(self, sender: int, proposal: Propose) -> None:
        """Keep a proposal and judge it, if no batch is open."""
        host = self._context.host
        at = (host.height(), sender)
        self._heard[at] += 1
        if self._heard[at] > PROPOSALS_MAX:
            self._context.refuse(sender, "proposals_flood")
            return
        self._proposals[sender] = (host.height(), proposal)
        if not await host.open_batches():
            await self.judge_proposals(await host.payouts_due())

    async def judge_proposals(self, due: Sequence[DuePayout]) -> None:
        """Attest the proposals of others that this signer would have made itself; keep those of a height to come."""
        payouts = {payout.payout_id: payout for payout in due}
        for sender, (_, proposal) in sorted(self._proposals.items(), key=lambda item: item[0]):
            try:
                plan = await self._judge(proposal, payouts)
            except MutuaError as error:
                self._context.host.event("treasury_proposal_refused", signer=sender, code=error.code, what=error.what)
                continue
            del self._proposals[sender]
            await self._attest(sender, plan)

    async def _judge(self, proposal: Propose, due: Mapping[bytes, DuePayout]) -> Plan:
        """Return the plan of a proposal; MutuaError unless it pays what is due, from the outpoint, to enough payees."""
        outpoint = self._context.host.outpoint()
        if outpoint is None or (proposal.outpoint_txid, proposal.outpoint_vout) != (outpoint.txid, outpoint.vout):
            what = "it does not spend the treasury outpoint on the ledger"
            raise MutuaError("proposal_baton", what, "wait for the next block")
        ids = proposal.payout_ids
        if len(set(ids)) != len(ids) or not due.keys() >= set(ids):
            raise MutuaError("proposal_payouts", "it pays something that is not due here", "wait for the next block")
        if proposal.locktime > await self._context.bitcoin.height() + LOCKTIME_AHEAD:
            hint = "use the height of the newest bitcoin block"
            raise MutuaError("proposal_locktime", "its locktime is in the future", hint)
        payouts = [due[name] for name in ids]
        names = {payout.commitment for payout in payouts}
        for item in proposal.opened:
            if item.commitment in names:
                self._lists.take(item)
        self._check_anonymity_set(payouts, list(due.values()), outpoint)
        return await self._build(outpoint, payouts, proposal.locktime)

    def _check_anonymity_set(self, payouts: list[DuePayout], due: list[DuePayout], outpoint: Outpoint) -> None:
        """Raise MutuaError unless the proposed payouts hide each other as well as they can."""
        host, programs = self._context.host, self._lists.programs
        policy = host.policy
        paid, payable = payable_of(payouts, programs, policy), payable_of(due, programs, policy)
        is_affordable = sum(payout.amount_sat for payout in payable) < outpoint.amount_sat // 10 * 9
        least = min(policy.crowd_payees, len(payable)) // 2  # half: the proposer may lack some lists
        is_thin = is_affordable and len(paid) < least
        if is_thin or not is_anonymity_set_reached(paid, host.height() + 1, policy):
            what = f"{len(paid)} payees are too few for an anonymity set"
            raise MutuaError("proposal_crowd", what, "wait for more payees or blocks")

    async def _attest(self, proposer: int, plan: Plan) -> None:
        """Tell all signers that this one builds the same batch."""
        self._plans[proposer] = plan
        item = self._attestations.sign("batch", plan.subject)
        await self._context.host.broadcast(encode_message(Attested(plan.txid, item)))
        await self._attestations.submit_in_turn(BATCH_KIND, plan.record_body, plan.subject)

    async def hear_attested(self, sender: int, message: Attested) -> None:
        """Count another signer's attestation of a batch that this signer attested too."""
        plan = next((plan for plan in self._plans.values() if plan.txid == message.unsigned_txid), None)
        if plan is not None and self._attestations.take(sender, "batch", plan.subject, message.attestation):
            await self._attestations.submit_in_turn(BATCH_KIND, plan.record_body, plan.subject)
