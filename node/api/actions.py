"""Actions through a daemon: records are signed, stored durably before the answer, and sent to the members."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec

from governance.benefits.dependants import CoverAddBody
from governance.filing.claims import ClaimBody
from governance.kinds import KINDS, Kind
from governance.membership import members
from governance.refusals import rule_of
from governance.tables import Draft
from governance.voting.ballots import OpenedBody
from ledger.codec import encode
from ledger.errors import MutuaError, RuleBroken, family_of
from ledger.hashing import tagged_hash
from ledger.records import SALT_SIZE, Attestation, decode_signed_record
from node.api.bodies import body_from_json
from node.api.host import Host
from node.api.reads import Reads
from node.api.text import dated
from node.api.views.actions import AutoRule, AutoRuleFields, BatchAnswer, Opened, Refusal, SubmitRequest, Submitted
from node.api.views.base import read, to_json
from node.api.views.claims import CLAIM
from node.clock import salt
from node.own import auto_accept
from node.own.dependants import next_seed, wanting
from node.paths import FOLDER_MODE, SECRET_MODE, write_whole
from node.pool.intake import Outcome, RecordDraft, Refused, accepted
from node.pool.mempool import pool_full
from node.spread.gossip import blob_hash_of
from wallet.seal import NewKey, new_key, new_payout_blob


class Actions:
    """What the API does through a daemon."""

    def __init__(self, node: Host, reads: Reads) -> None:
        self._node = node
        self._reads = reads

    # ---- Records ------------------------------------------------------------------

    async def submit(self, kind: str, body: dict[str, Any]) -> Submitted:
        """Build, sign, check, keep durably and spread a record. `body` may bring `attestations` by others."""
        return self._pending(accepted(await self._submit([SubmitRequest(kind=kind, body=body)])), kind)

    async def submit_all(self, records: Sequence[SubmitRequest]) -> BatchAnswer:
        """Do the same with each of many records, in their order; return the id of each, or why it is refused."""
        outcomes = await self._submit(records)
        ids = tuple(None if isinstance(outcome, Refused) else outcome.hex() for outcome in outcomes)
        return BatchAnswer(records=ids, refusals=_refusals(outcomes, self._reads.day_one))

    async def _submit(self, records: Sequence[SubmitRequest]) -> list[Outcome]:
        drafts = self._drafts(records)
        room: dict[bytes, int] = {}
        for index, draft in enumerate(drafts):
            if isinstance(draft, RecordDraft) and isinstance(draft.body, ClaimBody):
                cover = draft.body.cover_id
                room.setdefault(cover, self._node.mempool.room_of(cover))
                room[cover] -= 1
                if room[cover] < 0:  # no addresses for what finds no room
                    drafts[index] = Refused(pool_full())
        own = [item for item in drafts if isinstance(item, RecordDraft)]
        found = iter(await self._node.intake.submit(own, self._with_addresses))
        return [item if isinstance(item, Refused) else next(found) for item in drafts]

    def _drafts(self, records: Sequence[SubmitRequest]) -> list[RecordDraft | Refused]:
        """Return what is to be signed, but the payout addresses of claims, or what is wrong with a request."""
        own_member = cache(self._own_member)

        def draft_of(record: SubmitRequest) -> RecordDraft | Refused:
            try:
                known, fields, attestations = _parts_of(record)
                if known.key != "identity":
                    own_member()
                if record.kind == "claim.file":
                    self._default_claim(fields)
                if record.kind == "cover.add" and not fields.get("cover"):
                    attestations = self._new_cover(fields)
                return RecordDraft(record.kind, body_from_json(known.body, fields), attestations)
            except MutuaError as error:
                return Refused(error)

        return list(map(draft_of, records))

    def _own_member(self) -> bytes:
        """Return this member's key. MutuaError `not_a_member` on a node that only follows."""
        row = self._node.member()
        if row is None:
            what = "this node only follows the ledger; its key does not belong to a member"
            raise MutuaError("not_a_member", what, "run this on a member's node")
        return row.key

    def _pending(self, record_id: bytes, kind: str) -> Submitted:
        return Submitted(record_id=record_id.hex(), kind=kind, state="pending", height=self._node.chain.height)

    async def accept(self, data: bytes) -> Submitted:
        """Take a record that its author signed elsewhere: verify, check, keep durably, spread. Idempotent."""
        signed = decode_signed_record(data, self._node.chain.chain_id)
        record_id = await self._node.intake.accept_signed(signed)
        pending = self._pending(record_id, signed.record.kind)
        return read(Submitted, {**to_json(pending), **to_json(self._reads.record(record_id))})

    async def check(self, records: Sequence[SubmitRequest]) -> tuple[Refusal, ...]:
        """Return what the rules would refuse of these records in the next block, one after the other."""
        drafts = self._drafts(records)
        found = iter(await self._node.intake.check([item for item in drafts if isinstance(item, RecordDraft)]))
        outcomes = [item if isinstance(item, Refused) else next(found) for item in drafts]
        return _refusals(outcomes, self._reads.day_one)

    async def open_document(self, claim: bytes) -> Opened:
        """Open a local document of a claim's evidence and sign the receipt. MutuaError `document_missing`."""
        folder = self._node.documents
        for item in self._reads.view(CLAIM, id=claim.hex()).evidence:
            path, digest = folder / item.hash, bytes.fromhex(item.hash)
            if path.is_file() and document_hash(path.read_bytes()) == digest:
                record_id = await self._node.submit("case.opened", OpenedBody(claim, digest))
                return Opened(
                    record_id=record_id.hex(),
                    kind="case.opened",
                    state="pending",
                    path=str(path),
                    hash=item.hash,
                    size_bytes=path.stat().st_size,
                )
        hint = f"put it into {folder}, named by its hash"
        raise MutuaError("document_missing", "no document of this claim's evidence is on this node", hint)

    # ---- What only this node knows --------------------------------------------------

    def _with_addresses(self, drafts: Sequence[RecordDraft]) -> list[RecordDraft]:
        """Return drafts with fresh payout addresses, sealed to the signers, for the claims that can be paid."""
        node = self._node
        signers = [founder.device_key for founder in node.charter.founders if founder.bitcoin_key]

        @cache
        def key_of(_cover: bytes) -> NewKey:
            return new_key(signers)

        def completed(draft: RecordDraft) -> RecordDraft:
            body = draft.body
            if not signers or not isinstance(body, ClaimBody) or body.use == "preauth":  # no payment for a question
                return draft
            unique = encode(msgspec.structs.replace(body, payout_commitment=b""))
            blob = new_payout_blob(node.keys.bitcoin_root, unique, key_of(body.cover_id), node.charter.treasury.network)
            return replace(
                draft, body=msgspec.structs.replace(body, payout_commitment=blob_hash_of(blob)), blobs=(blob,)
            )

        return list(map(completed, drafts))

    def _default_claim(self, fields: dict[str, Any]) -> None:
        """Fill in what a claim says where nothing else is given."""
        defaults: dict[str, Any] = {
            "scheme": self._node.charter.name,
            "cover_id": self._node.keys.cover_key.hex(),
            "submitter_role": "member",
            "payee": "member",
            "use": "claim",
            "event_id": "",
            "supersedes": "",
            "source_hash": "",
            "other_payer_cents": 0,
            "evidence": [],
            "payout_commitment": "",
        }
        fields |= {name: value for name, value in defaults.items() if name not in fields}

    def _new_cover(self, fields: dict[str, Any]) -> tuple[Attestation, ...]:
        """Fill in the next dependant's cover of this node's key ring; return the cover's signature that it agrees."""
        node, member = self._node, self._own_member()
        draft = Draft(node.chain.state)
        waiting = {signed.body.data for _, signed in node.mempool if signed.record.kind == "cover.add"}

        def is_taken(cover: bytes) -> bool:
            return members.owner_of_key(draft, cover) is not None or encode(CoverAddBody(cover)) in waiting

        body, attestation = wanting(next_seed(node.keys, is_taken), node.chain.chain_id, member)
        fields["cover"] = body.cover.hex()
        return (attestation,)

    # ---- Auto-accept ---------------------------------------------------------------

    def auto_rules(self) -> tuple[AutoRule, ...]:
        """Return every version of this member's auto-accept rules, oldest first. MutuaError `auto_rules_unusable`."""
        return tuple(read(AutoRule, auto_accept.rule_json(item.rule)) for item in self._node.auto.versions())

    async def change_auto_rule(self, action: str, wanted: AutoRuleFields) -> AutoRule:
        """Add, replace or revoke a rule. Signed here, durable before the answer."""
        node = self._node
        own: dict[str, Any] = {
            "member": self._own_member().hex(),
            "chain_id": node.chain.chain_id.hex(),
            "version": 1,
            "is_revoked": False,
            "salt": salt(SALT_SIZE).hex(),
        }
        rule = body_from_json(auto_accept.AutoRule, {**msgspec.structs.asdict(wanted), **own}, "rule")
        changed = await node.auto.change(action, cast("auto_accept.AutoRule", rule), node.keys.identity_seed)
        return read(AutoRule, auto_accept.rule_json(changed))

    # ---- The daemon -----------------------------------------------------------------

    def set_log_level(self, level: str) -> None:
        """Change how much is logged."""
        logging.getLogger().setLevel(level.upper())

    def stop(self) -> None:
        """Ask the daemon to end."""
        self._node.stop()


def _parts_of(record: SubmitRequest) -> tuple[Kind, dict[str, Any], tuple[Attestation, ...]]:
    """Return the kind, the fields of the body and the attestations that came with them."""
    kind = record.kind
    known = KINDS.get(kind)
    if known is None:
        raise RuleBroken("kind_unknown", f"there is no record kind {kind!r}", f"kinds: {', '.join(sorted(KINDS))}")
    fields = dict(record.body)
    given = fields.pop("attestations", ())
    if not isinstance(given, (list, tuple)):
        raise MutuaError("body_shape", "attestations must be a list", "see the record kinds in the reference")
    shaped = [
        cast("Attestation", body_from_json(Attestation, item, f"attestations[{index}]"))
        for index, item in enumerate(cast("list[object]", given))
    ]
    return known, fields, tuple(shaped)


def _refusals(outcomes: Sequence[Outcome | None], day_one: str) -> tuple[Refusal, ...]:
    """Return what was refused, by its place."""
    return tuple(
        Refusal(
            index=index,
            code=item.error.code,
            what=dated(item.error.what, day_one),
            hint=item.error.hint,
            family=family_of(item.error),
            rule=rule_of(item.error.code),
            claim=item.claim.hex(),
            height=item.height,
        )
        for index, item in enumerate(outcomes)
        if isinstance(item, Refused)
    )


def document_hash(data: bytes) -> bytes:
    """Return the hash by which evidence is named on the ledger and in the documents folder."""
    return tagged_hash("evidence", data)


def store_document(folder: Path, data: bytes) -> bytes:
    """Keep a document under its hash; return the hash."""
    digest = document_hash(data)
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    write_whole(folder / digest.hex(), data, SECRET_MODE)
    return digest
