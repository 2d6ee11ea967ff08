"""The daemon as the local API sees it: JSON-ready answers, actions signed here, a stream of events."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import trio

from governance import protocol
from governance.benefits.dependants import CoverAddBody
from governance.filing.claims import ClaimBody
from governance.kinds import KINDS, Kind
from governance.membership import members
from governance.refusals import rule_of
from governance.state.contracts import CONTRACTS
from governance.state.params import current_version, params_at
from governance.tables import Draft
from governance.voting.ballots import OpenedBody
from ledger import calendar, merkle
from ledger.blocks import block_hash_of, decode_header
from ledger.codec import Shape, encode
from ledger.errors import MutuaError, RuleBroken, family_of
from ledger.hashing import tagged_hash
from ledger.records import SALT_SIZE, Attestation, decode_signed_record, record_id_of
from ledger.state import StateReader
from node.api.bodies import body_from_json
from node.audit.receipts import LIVE_S_MAX, claim_receipt, told
from node.clock import salt
from node.own.auto_accept import AutoRule, rule_json
from node.own.dependants import next_seed, wanting
from node.spread.gossip import blob_hash_of
from wallet.seal import new_payout_blob

if TYPE_CHECKING:
    from node.daemon import Daemon

SUBSCRIBERS_MAX = 64
EVENTS_QUEUED_MAX = 1_000
BLOCKS_LISTED_MAX = 200
RECEIPTS_KEPT_MAX = 16


class Facade:
    """What the API may ask of a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._subscribers: set[trio.MemorySendChannel[dict[str, Any]]] = set()
        self._replaying = trio.Lock()
        self._receipts: dict[tuple[bytes, int], dict[str, Any]] = {}

    # ---- Reading ----------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return what `mutua status` shows."""
        node = self._daemon
        charter = node.charter
        height = node.chain.height
        row = node.member()
        member = None if row is None else row.key.hex()
        return {
            "name": charter.name,
            "chain_id": node.chain.chain_id.hex(),
            "currency": charter.currency,
            "exponent": charter.exponent,
            "height": height,
            "block_hash": node.chain.tip.block_hash.hex(),
            "state_root": node.chain.tip.header.state_root.hex(),
            "term": max(0, calendar.term_of(max(height, 1))),
            "day_one": charter.day_one,
            "block_interval_ms": charter.block_interval_ms,
            "peers": {
                "connected": len(node.network.connected()),
                "known": len(charter.founders) - (node.founder is not None),
            },
            "mempool": len(node.mempool),
            "is_syncing": node.sync.is_syncing,
            "sync_target": node.sync.target,
            "consensus": {
                "view": node.driver.view,
                "is_member": node.ledger.own_index is not None,
                "committee": len(node.ledger.committee),
                "messages_in": node.driver.messages_in,
                "messages_out": node.driver.messages_out,
                "misbehaviour": len(node.driver.misbehaviour),
                "is_signing": node.driver.is_signing,
                "quarantine": node.votes.quarantine,
            },
            "owed": self._owed(member),
            "member": member,
            "cover": None if row is None else node.keys.cover_key.hex(),
            "dependants": (
                [] if row is None else [item["cover_id"] for item in self.view("dependants", member=row.key.hex())]
            ),
            "needs_me": len(self.view("needs_me", member=member)) if member else 0,
            "protocol": protocol_json(node.chain.state, height),
        }

    def _owed(self, member: str | None) -> dict[str, Any] | None:
        """Return what this member owes and until the end of which block it must be paid; None when nothing is owed."""
        draft = Draft(self._daemon.chain.state)
        row = None if member is None else CONTRACTS.find(draft, bytes.fromhex(member))
        if row is None or not row.owed:
            return None
        last = row.owed[0].due_height + params_at(draft, current_version(draft)).grace_blocks
        return {"amount_cents": row.owed_cents, "pay_by": last, "suspended_from": row.suspended_from}

    def view(self, name: str, **arguments: str | None) -> Any:
        """Return a governance view by name."""
        return self._daemon.view(name, **{key: value for key, value in arguments.items() if value is not None})

    def peers(self) -> list[dict[str, Any]]:
        """Return every known peer."""
        return [{**msgspec.to_builtins(item), "key": item.key.hex()} for item in self._daemon.network.status()]

    def blocks(self, start: int, count: int) -> list[dict[str, Any]]:
        """Return headers from `start` on, at most 200."""
        last = min(self._daemon.chain.height, start + min(count, BLOCKS_LISTED_MAX) - 1)
        return [self._block_head(height) for height in range(max(0, start), last + 1)]

    def block(self, height: int) -> dict[str, Any]:
        """Return a block with its records and events. MutuaError `not_found` above the tip."""
        chain = self._daemon.chain
        block = chain.block(height)
        if block is None:
            raise MutuaError("not_found", f"there is no block {height}", f"the newest is {chain.height}")
        records = [
            {
                "id": record_id_of(item).hex(),
                "kind": item.kind,
                "author": item.author.hex(),
                "number": item.number,
                "body_hash": item.body_hash.hex(),
            }
            for item in block.records
        ]
        events = [msgspec.json.decode(line) for line in (chain.events(height) or b"").splitlines() if line]
        return {
            **self._block_head(height),
            "records": records,
            "events": events,
            "has_certificate": chain.certificate(height) is not None,
        }

    def record(self, record_id: bytes) -> dict[str, Any]:
        """Return a record's receipt: pending, refused with the reason, or final with its inclusion proof."""
        chain = self._daemon.chain
        place = chain.find_record(record_id)
        if place is None:
            refusal = self._daemon.mempool.refusals.get(record_id)
            if record_id in self._daemon.mempool:
                return {"record_id": record_id.hex(), "state": "pending", "height": chain.height}
            if refusal is not None:
                reason = {
                    "code": refusal.code,
                    "what": refusal.what,
                    "hint": refusal.hint,
                    "rule": rule_of(refusal.code),
                }
                return {"record_id": record_id.hex(), "state": "refused", "height": refusal.height, "reason": reason}
            raise MutuaError(
                "not_found",
                f"this node knows no record {record_id.hex()}",
                "check the id, or wait until the node is in step",
            )
        height, index = place
        block = chain.block(height)
        assert block is not None
        hashes = [merkle.leaf_hash(encode(record)) for record in block.records]
        header = decode_header(block.header)
        return {
            "record_id": record_id.hex(),
            "state": "final",
            "height": height,
            "index": index,
            "kind": block.records[index].kind,
            "records_root": header.records_root.hex(),
            "tree_size": len(hashes),
            "proof": [item.hex() for item in merkle.inclusion_proof(hashes, index)],
            "leaf": hashes[index].hex(),
        }

    async def receipt(self, claim: bytes) -> dict[str, Any]:
        """Return what decided a claim, by replaying the ledger in a thread.

        One replay at a time, the last answers are kept.
        """
        chain = self._daemon.chain
        self._daemon.view("claim", id=claim.hex())  # an unknown claim costs no replay
        async with self._replaying:
            key = claim, chain.height
            if key not in self._receipts:
                receipt = await trio.to_thread.run_sync(partial(claim_receipt, chain, claim, live_s_max=LIVE_S_MAX))
                while len(self._receipts) >= RECEIPTS_KEPT_MAX:
                    self._receipts.pop(next(iter(self._receipts)))
                self._receipts[key] = told(receipt)
            return self._receipts[key]

    def _block_head(self, height: int) -> dict[str, Any]:
        header = self._daemon.chain.header(height)
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

    # ---- Acting -------------------------------------------------------------------

    async def submit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Build, sign, check, keep durably and spread a record. `body` may bring `attestations` by others."""
        known, fields, attestations = self._parts_of(kind, body)
        blobs: list[bytes] = []
        if kind == "claim.file":
            blobs = await self._complete_claim(fields)
        if kind == "cover.add" and not fields.get("cover"):
            attestations = self._new_cover(fields)
        record_id = await self._daemon.submit(kind, body_from_json(known.body, fields), attestations, blobs)
        return self._pending(record_id, kind)

    def _parts_of(self, kind: str, body: dict[str, Any]) -> tuple[Kind, dict[str, Any], tuple[Attestation, ...]]:
        """Return the kind, the fields of the body and the attestations that came with them."""
        known = KINDS.get(kind)
        if known is None:
            raise RuleBroken("kind_unknown", f"there is no record kind {kind!r}", f"kinds: {', '.join(sorted(KINDS))}")
        if known.key != "identity" and self._daemon.member() is None:
            raise MutuaError(
                "not_a_member", "this node follows the ledger; its key is no member's", "act from a member's node"
            )
        fields = dict(body)
        given = fields.pop("attestations", ())
        if not isinstance(given, (list, tuple)):
            raise MutuaError("body_shape", "attestations must be a list", "see the record kinds in the reference")
        items = enumerate(cast("list[object]", given))
        return (
            known,
            fields,
            tuple(
                cast("Attestation", body_from_json(Attestation, item, f"attestations[{index}]"))
                for index, item in items
            ),
        )

    def _pending(self, record_id: bytes, kind: str) -> dict[str, Any]:
        return {"record_id": record_id.hex(), "kind": kind, "state": "pending", "height": self._daemon.chain.height}

    async def accept(self, data: bytes) -> dict[str, Any]:
        """Accept a whole record that its author signed elsewhere: verify, check, keep durably, spread.

        The same one twice is one.
        """
        signed = decode_signed_record(data, self._daemon.chain.chain_id)
        record_id = await self._daemon.intake.accept_signed(signed)
        return {**self._pending(record_id, signed.record.kind), **self.record(record_id)}

    async def check(self, records: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return which of these records the next block's rules would refuse: {index, code, what, hint, family}."""
        found: list[tuple[int, MutuaError]] = []
        shaped: list[tuple[int, tuple[str, Shape, tuple[Attestation, ...]]]] = []
        for index, (kind, body) in enumerate(records):
            try:
                known, fields, attestations = self._parts_of(kind, body)
                if kind == "claim.file":
                    self._default_claim(fields)
                    fields.setdefault("payout_commitment", "")
                shaped.append((index, (kind, body_from_json(known.body, fields), attestations)))
            except MutuaError as error:
                found.append((index, error))
        refusals = await self._daemon.intake.check([item for _, item in shaped])
        found += [(index, error) for (index, _), error in zip(shaped, refusals, strict=True) if error is not None]
        return [
            {
                "index": index,
                "code": error.code,
                "what": error.what,
                "hint": error.hint,
                "family": family_of(error),
                "rule": rule_of(error.code),
            }
            for index, error in sorted(found, key=lambda item: item[0])
        ]

    async def open_document(self, claim: bytes) -> dict[str, Any]:
        """Open a local document of a claim's evidence and sign the receipt.

        MutuaError `document_missing` when none is here.
        """
        view = self.view("claim", id=claim.hex())
        hashes = [bytes.fromhex(item["hash"]) for item in view.get("evidence", ())]
        folder = self._daemon.documents
        for digest in hashes:
            path = folder / digest.hex()
            if path.exists() and document_hash(path.read_bytes()) == digest:
                receipt = await self._sign_receipt(OpenedBody(claim, digest))
                return {**receipt, "path": str(path), "hash": digest.hex(), "size_bytes": path.stat().st_size}
        raise MutuaError(
            "document_missing",
            "no document of this claim's evidence is on this node",
            f"put it into {folder}, named by its hash",
        )

    async def _sign_receipt(self, body: Shape) -> dict[str, Any]:
        record_id = await self._daemon.submit("case.opened", body)
        return {"record_id": record_id.hex(), "kind": "case.opened", "state": "pending"}

    async def _complete_claim(self, fields: dict[str, Any]) -> list[bytes]:
        """Fill in what only this node knows: the cover, and fresh payout addresses sealed to the signers."""
        node = self._daemon
        self._default_claim(fields)
        signers = [founder.device_key for founder in node.charter.founders if founder.bitcoin_key]
        if not signers or fields["use"] == "preauth":  # nothing is paid for a question
            fields.setdefault("payout_commitment", "")
            return []
        unique = encode(body_from_json(ClaimBody, {**fields, "payout_commitment": ""}))
        blob = await trio.to_thread.run_sync(
            new_payout_blob, node.keys.bitcoin_root, unique, signers, node.charter.treasury.network
        )
        fields["payout_commitment"] = blob_hash_of(blob).hex()
        return [blob]

    def _default_claim(self, fields: dict[str, Any]) -> None:
        """Fill in what a claim says where nothing else is given."""
        node = self._daemon
        fields.setdefault("scheme", node.charter.name)
        fields.setdefault("cover_id", node.keys.cover_key.hex())
        fields.setdefault("submitter_role", "member")
        fields.setdefault("payee", "member")
        fields.setdefault("use", "claim")
        for name in ("event_id", "supersedes", "source_hash"):
            fields.setdefault(name, "")
        fields.setdefault("other_payer_cents", 0)
        fields.setdefault("evidence", [])

    def _new_cover(self, fields: dict[str, Any]) -> tuple[Attestation, ...]:
        """Fill in the next dependant's cover of this node's key ring.

        Return the cover's signature that it wants to be there.
        """
        node = self._daemon
        row = node.member()
        if row is None:
            raise MutuaError(
                "not_a_member", "this node follows the ledger; its key is no member's", "act from a member's node"
            )
        draft = Draft(node.chain.state)
        waiting = {signed.body.data for _, signed in node.mempool if signed.record.kind == "cover.add"}

        def is_taken(cover: bytes) -> bool:
            return members.owner_of_key(draft, cover) is not None or encode(CoverAddBody(cover)) in waiting

        body, attestation = wanting(next_seed(node.keys, is_taken), node.chain.chain_id, row.key)
        fields["cover"] = body.cover.hex()
        return (attestation,)

    # ---- Auto-accept ---------------------------------------------------------------

    def auto_rules(self) -> list[dict[str, Any]]:
        """Return every version of this member's standing rules, oldest first. MutuaError `auto_rules_unusable`."""
        return [rule_json(item.rule) for item in self._daemon.auto.versions()]

    async def change_auto_rule(self, action: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Add, replace or revoke a rule {name, codes, charge_max_cents, providers}.

        Signed here, durable before the answer.
        """
        node = self._daemon
        row = node.member()
        if row is None:
            raise MutuaError(
                "not_a_member", "this node follows the ledger; its key is no member's", "act from a member's node"
            )
        fields: dict[str, Any] = {"codes": [], "charge_max_cents": 0, "providers": [], **wanted}
        own: dict[str, Any] = {
            "chain_id": node.chain.chain_id.hex(),
            "member": row.key.hex(),
            "version": 1,
            "is_revoked": False,
            "salt": salt(SALT_SIZE).hex(),
        }
        rule = cast("AutoRule", body_from_json(AutoRule, {**fields, **own}, "rule"))
        return rule_json(await node.auto.change(action, rule, node.keys.identity_seed))

    # ---- Events ------------------------------------------------------------------

    def publish(self, event: dict[str, Any]) -> None:
        """Give an event to all subscribers; one who does not read loses the newest and is told by a gap in heights."""
        for channel in list(self._subscribers):
            try:
                channel.send_nowait(event)
            except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                self._subscribers.discard(channel)
                channel.close()

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[trio.MemoryReceiveChannel[dict[str, Any]], None]:
        """Subscribe to events until the block is left. A subscriber that falls 1,000 behind is closed."""
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            raise MutuaError(
                "too_many_subscribers", f"{SUBSCRIBERS_MAX} programs follow this node's events", "close one of them"
            )
        send, receive = trio.open_memory_channel[dict[str, Any]](EVENTS_QUEUED_MAX)
        self._subscribers.add(send)
        try:
            yield receive
        finally:
            self._subscribers.discard(send)
            send.close()

    def set_log_level(self, level: str) -> None:
        """Change how much is logged."""
        if level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise MutuaError("log_level", f"{level} is no log level", "use debug, info, warning or error")
        logging.getLogger().setLevel(level.upper())

    def stop(self) -> None:
        """Ask the daemon to end."""
        self._daemon.stop()


def protocol_json(state: StateReader, height: int) -> dict[str, Any]:
    """Return the protocol version in force, the next one decided on, and whether this program knows it."""
    draft = Draft(state)
    later = protocol.next_change(draft, height)
    return {
        "version": protocol.row_at(draft, height).version,
        "next_version": None if later is None else later.version,
        "next_height": None if later is None else later.height,
        "knows_next": later is None or later.version in protocol.KNOWN_VERSIONS,
    }


def document_hash(data: bytes) -> bytes:
    """Return the hash by which evidence is named on the ledger and in the documents folder."""
    return tagged_hash("evidence", data)


def store_document(folder: Path, data: bytes) -> bytes:
    """Keep a document under its hash; return the hash."""
    digest = document_hash(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest.hex()).write_bytes(data)
    return digest
