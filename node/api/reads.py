"""What may be read of a daemon: its status, blocks, records and the views of its ledger. Nothing is changed here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import msgspec
import trio

from governance import protocol
from governance.events import render
from governance.refusals import rule_of
from governance.state.contracts import CONTRACTS
from governance.state.params import current_version, params_at
from governance.state.treasury import BATCHES, TREASURY
from governance.tables import Draft
from governance.views import audits, claims, coop, governing, members, money
from ledger import calendar, merkle
from ledger.blocks import block_hash_of, decode_header
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.records import record_id_of
from ledger.state import StateReader
from node.api.host import Host
from node.api.schema import BLOCKS_PAGE_MAX, VIEWS
from node.api.text import dated, hex_bytes
from node.api.views.base import Question, T, read
from node.api.views.chain import Block, BlockHead, ClaimReceipt, Reason, Receipt, RecordHead
from node.api.views.claims import CLAIM
from node.api.views.members import DEPENDANTS
from node.api.views.node import Consensus, LogLevel, Owed, Peer, PeerCounts, ProtocolState, Status, TreasuryJob
from node.audit.receipts import LIVE_S_MAX, claim_receipt, told

RECEIPTS_KEPT_MAX = 16
ANSWERS_KEPT_MAX = 32
"""Views of the newest block that are kept: a screen asks for the same few every second."""


class Reads:
    """What the API reads of a daemon."""

    def __init__(self, node: Host) -> None:
        self._node = node
        self._replaying = trio.Lock()
        self._receipts: dict[tuple[bytes, int], ClaimReceipt] = {}
        self._kept_at = -1
        self._kept: dict[object, Any] = {}

    # ---- The node -----------------------------------------------------------------

    def is_ready(self) -> bool:
        """True once the node is in sync."""
        return not self._node.sync.is_syncing

    @property
    def day_one(self) -> str:
        """The date of day 1."""
        return self._node.charter.day_one

    def height(self) -> int:
        """Return the newest final height."""
        return self._node.chain.height

    def status(self) -> Status:
        """Return what `mutua status` shows."""
        node, charter, chain = self._node, self._node.charter, self._node.chain
        height, row = chain.height, node.member()
        member = None if row is None else row.key.hex()
        return Status(
            name=charter.name,
            chain_id=chain.chain_id.hex(),
            currency=charter.currency,
            exponent=charter.exponent,
            height=height,
            block_hash=chain.tip.block_hash.hex(),
            state_root=chain.tip.header.state_root.hex(),
            term=max(0, calendar.term_of(max(height, 1))),
            day_one=self.day_one,
            block_interval_ms=charter.block_interval_ms,
            peers=self._peer_counts(),
            mempool=len(node.mempool),
            is_syncing=node.sync.is_syncing,
            sync_target=node.sync.target,
            consensus=self._consensus(),
            treasury=self._treasury(),
            owed=None if row is None else self._owed(row.key),
            member=member,
            cover=None if row is None else node.keys.cover_key.hex(),
            dependants=() if row is None else tuple(item.cover_id for item in self.view(DEPENDANTS, member=member)),
            needs_me=0 if row is None else self._keep("needs me", claims.needs_me_count, chain.state, height, row.key),
            protocol=protocol_state(chain.state, height),
            log_level=cast("LogLevel", logging.getLevelName(logging.getLogger().getEffectiveLevel()).lower()),
        )

    def _peer_counts(self) -> PeerCounts:
        node = self._node
        others = len(node.charter.founders) - (node.founder is not None)
        members = {item.transport_key for item in node.charter.founders}
        peers = [item for item in node.network.status() if item.key in members]
        connected = sum(item.is_connected for item in peers)
        if not others or not peers or connected:
            return PeerCounts(connected=connected, known=others)
        last = max(peers, key=lambda item: (item.received_frames > 0, item.since_ms))
        heard = last.key.hex() if last.received_frames else None
        return PeerCounts(connected=0, known=others, alone_since_ms=last.since_ms, last_heard=heard)

    def _consensus(self) -> Consensus:
        node, driver = self._node, self._node.driver
        return Consensus(
            view=driver.view,
            is_member=node.ledger.own_index is not None,
            committee=len(node.ledger.committee),
            messages_in=driver.messages_in,
            messages_out=driver.messages_out,
            misbehaviour=len(driver.misbehaviour),
            is_signing=driver.is_signing,
            quarantine=node.votes.quarantine,
            quarantine_until=driver.quarantined_until,
            signs_elsewhere=node.votes.folder.advice_on_twin() if driver.signs_elsewhere else None,
        )

    def _treasury(self) -> TreasuryJob | None:
        """Return what this node does for the treasury; None where its key is not a signer's."""
        node, job = self._node, self._node.treasury
        if node.founder is None or not node.founder.bitcoin_key:
            return None
        error = None if job is None else job.last_error
        state = "off" if job is None else "waiting" if error else "working" if job.has_worked else "starting"
        return TreasuryJob(state=state, last_error=error, open_batches=_count_open_batches(node.chain.state))

    def _owed(self, member: bytes) -> Owed | None:
        """Return what this member owes and until the end of which block it must be paid; None when nothing is owed."""
        draft = Draft(self._node.chain.state)
        row = CONTRACTS.find(draft, member)
        if row is None or not row.owed:
            return None
        last = row.owed[0].due_height + params_at(draft, current_version(draft)).grace_blocks
        return Owed(amount_cents=row.owed_cents, pay_by=last, suspended_from=row.suspended_from)

    def peers(self) -> tuple[Peer, ...]:
        """Return every known peer."""
        found = [{**msgspec.to_builtins(item), "key": item.key.hex()} for item in self._node.network.status()]
        return read(tuple[Peer, ...], found)

    # ---- The ledger -----------------------------------------------------------------

    def view(self, question: Question[T], **arguments: str | None) -> T:
        """Return a governance view. MutuaError `not_found` for an unknown member or claim, `usage` for an argument."""
        chain = self._node.chain
        given = {key: value for key, value in arguments.items() if value is not None}
        key = (question.name, tuple(sorted(given.items())))
        return self._keep(key, read_view, chain.state, chain.height, question, given)

    async def ask(self, question: Question[T], **arguments: str) -> T:
        """Return the same, read in a thread: a list of all claims takes a while, and holds up nobody."""
        return await self._node.ledger.look(lambda: self.view(question, **arguments))

    def _keep(self, name: object, read: Callable[..., T], *arguments: Any) -> T:
        """Return what was read, once a block: it does not change before the next one."""
        height = self._node.chain.height
        if self._kept_at != height:
            self._kept_at, self._kept = height, {}
        kept = self._kept  # another thread may begin a new height
        if name not in kept:
            found = read(*arguments)
            while len(kept) >= ANSWERS_KEPT_MAX:
                kept.pop(next(iter(kept)), None)
            kept[name] = found
            return found
        return kept[name]

    def blocks(self, start: int, count: int) -> tuple[BlockHead, ...]:
        """Return headers from `start` on, at most 200."""
        last = min(self._node.chain.height, start + min(count, BLOCKS_PAGE_MAX) - 1)
        return tuple(BlockHead(**self._head(height)) for height in range(max(0, start), last + 1))

    def _head(self, height: int) -> dict[str, Any]:
        header = self._node.chain.header(height)
        assert header is not None
        return {
            "height": height,
            "hash": block_hash_of(header).hex(),
            "time_ms": header.proposed_time_ms,
            "records": header.record_count,
            "proposer": header.proposer,
            "state_root": header.state_root.hex(),
            "term": calendar.term_of(height) if height else 0,
        }

    def block(self, height: int) -> Block:
        """Return a block with its records and events. MutuaError `not_found` above the tip."""
        chain = self._node.chain
        block = chain.block(height)
        if block is None:
            raise MutuaError("not_found", f"there is no block {height}", f"the newest is {chain.height}")
        records = tuple(
            RecordHead(
                id=record_id_of(item).hex(),
                kind=item.kind,
                author=item.author.hex(),
                number=item.number,
                body_hash=item.body_hash.hex(),
            )
            for item in block.records
        )
        events = tuple(msgspec.json.decode(line) for line in (chain.events(height) or b"").splitlines() if line)
        has_certificate = chain.certificate(height) is not None
        head: dict[str, Any] = {**self._head(height), "records": records}
        return Block(**head, events=events, has_certificate=has_certificate)

    def record(self, record_id: bytes) -> Receipt:
        """Return a record's receipt: pending, refused with the reason, or final with its inclusion proof."""
        chain, mempool, name = self._node.chain, self._node.mempool, record_id.hex()
        placed = chain.placed_record(record_id)
        if placed is None:
            refusal = mempool.refusals.get(record_id)
            if record_id in mempool:
                return Receipt(record_id=name, state="pending", height=chain.height)
            if refusal is not None:
                what = dated(refusal.what, self.day_one)
                reason = Reason(code=refusal.code, what=what, hint=refusal.hint, rule=rule_of(refusal.code))
                return Receipt(record_id=name, state="refused", height=refusal.height, reason=reason)
            what = f"this node knows no record {name}"
            raise MutuaError("not_found", what, "check the id, or ask a node that is in sync")
        block, index = placed
        header = decode_header(block.header)
        hashes = [merkle.leaf_hash(encode(record)) for record in block.records]
        return Receipt(
            record_id=name,
            state="final",
            height=header.height,
            index=index,
            kind=block.records[index].kind,
            records_root=header.records_root.hex(),
            tree_size=len(hashes),
            proof=tuple(item.hex() for item in merkle.inclusion_proof(hashes, index)),
            leaf=hashes[index].hex(),
        )

    async def receipt(self, claim: bytes) -> ClaimReceipt:
        """Return what decided a claim: the ledger is replayed in a thread, one at a time; the last answers are kept."""
        chain = self._node.chain
        self.view(CLAIM, id=claim.hex())  # an unknown claim costs no replay
        async with self._replaying:
            key = claim, chain.height
            if key not in self._receipts:
                receipt = await trio.to_thread.run_sync(partial(claim_receipt, chain, claim, live_s_max=LIVE_S_MAX))
                while len(self._receipts) >= RECEIPTS_KEPT_MAX:
                    self._receipts.pop(next(iter(self._receipts)))
                self._receipts[key] = msgspec.convert(told(receipt, self.day_one), ClaimReceipt)
            return self._receipts[key]


def _count_open_batches(state: StateReader) -> int:
    """Return how many payout transactions on the ledger have no confirmation: those behind the treasury outpoint."""
    draft, count = Draft(state), 0
    box = TREASURY.find(draft)
    batch = None if box is None else BATCHES.find(draft, box.outpoint_txid)
    while batch is not None and not batch.confirmations:
        count += 1
        batch = BATCHES.find(draft, batch.body.baton_txid)
    return count


def protocol_state(state: StateReader, height: int) -> ProtocolState:
    """Return the protocol version in force, the next one decided on, and whether this program knows it."""
    draft = Draft(state)
    later = protocol.next_change(draft, height)
    return ProtocolState(
        version=protocol.row_at(draft, height).version,
        next_version=None if later is None else later.version,
        next_height=None if later is None else later.height,
        knows_next=later is None or later.version in protocol.KNOWN_VERSIONS,
    )


# ---- Views by name: arguments are text, keys and ids are hex -----------------------


def question_of(name: str) -> Question[Any]:
    """Return the view of this name. MutuaError `not_found`."""
    question = VIEWS.get(name)
    if question is None:
        raise MutuaError("not_found", f"there is no view {name!r}", f"views: {', '.join(sorted(VIEWS))}")
    return question


def read_view(state: StateReader, height: int, question: Question[T], arguments: Mapping[str, str]) -> T:
    """Return a view of a state. MutuaError `not_found` for an unknown member or claim, `usage` for an argument."""
    answer = _SOURCES[question.name](_Asked(state, height, arguments))
    if answer is None:
        hint = "check the id, or ask a node that is in sync"
        raise MutuaError("not_found", f"the ledger knows no such {question.name} at height {height}", hint)
    return msgspec.convert(render(answer), question.shape)


class _Asked(msgspec.Struct, frozen=True):
    """The state that is asked, and the arguments."""

    state: Any
    height: int
    arguments: Mapping[str, str]

    def key(self, *names: str) -> bytes:
        """Return the first of the named arguments that is given, as bytes. MutuaError `usage`."""
        name = next((item for item in names if item in self.arguments), names[-1])
        key = hex_bytes(self.arguments.get(name, ""))
        if not key:
            raise MutuaError("usage", f"{name} must be a hexadecimal id", "give the full id as it was shown")
        return key

    def optional_key(self, name: str) -> bytes | None:
        """Return an argument as bytes; None when it is not given."""
        return self.key(name) if self.arguments.get(name) else None


_SOURCES: dict[str, Callable[[_Asked], Any]] = {
    "coop": lambda ask: coop.status_view(ask.state, ask.height),
    "providers": lambda ask: coop.providers_view(ask.state),
    "parties": lambda ask: coop.parties_view(ask.state, ask.height),
    "params": lambda ask: coop.params_view(ask.state),
    "accounts": lambda ask: coop.accounts_view(ask.state),
    "plans": lambda ask: coop.plans_view(ask.state),
    "codes": lambda ask: coop.codes_view(ask.state),
    "members": lambda ask: members.members_view(ask.state, ask.height),
    "member": lambda ask: members.member_view(ask.state, ask.height, ask.key("key", "id")),
    "keys": lambda ask: members.keys_view(ask.state, ask.key("member")),
    "dependants": lambda ask: members.dependants_view(ask.state, ask.height, ask.key("member")),
    "claims": lambda ask: claims.claims_view(ask.state, ask.optional_key("member")),
    "claim": lambda ask: claims.claim_view(ask.state, ask.height, ask.key("claim", "id")),
    "needs_me": lambda ask: claims.needs_me_view(ask.state, ask.height, ask.key("member")),
    "audit": lambda ask: audits.audit_view(ask.state, ask.height, ask.key("claim", "id")),
    "applications": lambda ask: governing.applications_view(ask.state, ask.height),
    "proposals": lambda ask: governing.proposals_view(ask.state, ask.height),
    "proposal": lambda ask: governing.proposal_view(ask.state, ask.height, ask.key("id"), ask.optional_key("member")),
    "payouts": lambda ask: money.payouts_view(ask.state),
    "owed": lambda ask: money.owed_view(ask.state),
    "unsent": lambda ask: money.unsent_view(ask.state),
    "batches": lambda ask: money.batches_view(ask.state),
    "treasury": lambda ask: money.treasury_view(ask.state),
    "delegations": lambda ask: members.delegations_view(ask.state, ask.height, ask.key("member")),
    "owing": lambda ask: members.owing_view(ask.state),
    "audits": lambda ask: audits.audits_view(ask.state),
}
