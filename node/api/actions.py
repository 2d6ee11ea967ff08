"""Actions through a daemon: records are signed, stored durably before the answer, and sent to the members."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import trio

from governance.benefits.dependants import CoverAddBody
from governance.filing.claims import ClaimBody
from governance.kinds import KINDS, Kind
from governance.membership import members
from governance.refusals import rule_of
from governance.tables import Draft
from governance.voting.ballots import OpenedBody
from ledger.codec import Shape, encode
from ledger.errors import MutuaError, RuleBroken, family_of
from ledger.hashing import tagged_hash
from ledger.records import SALT_SIZE, Attestation, decode_signed_record
from node.api.bodies import body_from_json
from node.api.host import Host
from node.api.reads import Reads
from node.api.views.actions import AutoRule, AutoRuleFields, Opened, Refusal, SubmitRequest, Submitted
from node.api.views.base import read, to_json
from node.api.views.claims import CLAIM
from node.clock import salt
from node.own import auto_accept
from node.own.dependants import next_seed, wanting
from node.spread.gossip import blob_hash_of
from wallet.seal import new_payout_blob


class Actions:
    """What the API does through a daemon."""

    def __init__(self, node: Host, reads: Reads) -> None:
        self._node = node
        self._reads = reads

    # ---- Records ------------------------------------------------------------------

    async def submit(self, kind: str, body: dict[str, Any]) -> Submitted:
        """Build, sign, check, keep durably and spread a record. `body` may bring `attestations` by others."""
        known, fields, attestations = self._parts_of(kind, body)
        blobs: list[bytes] = []
        if kind == "claim.file":
            blobs = await self._complete_claim(fields)
        if kind == "cover.add" and not fields.get("cover"):
            attestations = self._new_cover(fields)
        record_id = await self._node.submit(kind, body_from_json(known.body, fields), attestations, blobs)
        return self._pending(record_id, kind)

    def _parts_of(self, kind: str, body: dict[str, Any]) -> tuple[Kind, dict[str, Any], tuple[Attestation, ...]]:
        """Return the kind, the fields of the body and the attestations that came with them."""
        known = KINDS.get(kind)
        if known is None:
            raise RuleBroken("kind_unknown", f"there is no record kind {kind!r}", f"kinds: {', '.join(sorted(KINDS))}")
        if known.key != "identity":
            self._own_member()
        fields = dict(body)
        given = fields.pop("attestations", ())
        if not isinstance(given, (list, tuple)):
            raise MutuaError("body_shape", "attestations must be a list", "see the record kinds in the reference")
        shaped = [
            cast("Attestation", body_from_json(Attestation, item, f"attestations[{index}]"))
            for index, item in enumerate(cast("list[object]", given))
        ]
        return known, fields, tuple(shaped)

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
        found: list[tuple[int, MutuaError]] = []
        shaped: list[tuple[int, tuple[str, Shape, tuple[Attestation, ...]]]] = []
        for index, item in enumerate(records):
            try:
                known, fields, attestations = self._parts_of(item.kind, item.body)
                if item.kind == "claim.file":
                    self._default_claim(fields)
                    fields.setdefault("payout_commitment", "")
                shaped.append((index, (item.kind, body_from_json(known.body, fields), attestations)))
            except MutuaError as error:
                found.append((index, error))
        refusals = await self._node.intake.check([item for _, item in shaped])
        found += [(index, error) for (index, _), error in zip(shaped, refusals, strict=True) if error is not None]
        return tuple(
            Refusal(
                index=index,
                code=error.code,
                what=error.what,
                hint=error.hint,
                family=family_of(error),
                rule=rule_of(error.code),
            )
            for index, error in sorted(found, key=lambda item: item[0])
        )

    async def open_document(self, claim: bytes) -> Opened:
        """Open a local document of a claim's evidence and sign the receipt. MutuaError `document_missing`."""
        folder = self._node.documents
        for item in self._reads.view(CLAIM, id=claim.hex()).evidence:
            path, digest = folder / item.hash, bytes.fromhex(item.hash)
            if path.exists() and document_hash(path.read_bytes()) == digest:
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

    async def _complete_claim(self, fields: dict[str, Any]) -> list[bytes]:
        """Fill in the cover, and fresh payout addresses sealed to the signers."""
        node = self._node
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


def document_hash(data: bytes) -> bytes:
    """Return the hash by which evidence is named on the ledger and in the documents folder."""
    return tagged_hash("evidence", data)


def store_document(folder: Path, data: bytes) -> bytes:
    """Keep a document under its hash; return the hash."""
    digest = document_hash(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest.hex()).write_bytes(data)
    return digest
