"""What signers attest, each verified and counted, and the records submitted once enough of them agree."""

from __future__ import annotations

from collections.abc import Collection

from ledger.records import Attestation, attest, attestation_message
from ledger.signatures import is_signed
from node.treasury.messages import Role
from node.treasury.protocols import Context

SUBMITTED_MAX = 1_000


class Attestations:
    """Attestations by subject, then by device key."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kept: dict[bytes, dict[bytes, Attestation]] = {}
        self._submitted: dict[bytes, int] = {}

    def sign(self, role: Role, subject: bytes) -> Attestation:
        """Attest a subject with this signer's device key."""
        secrets = self._context.secrets
        item = attest(secrets.device_seed, secrets.chain_id, role, subject)
        self._kept.setdefault(subject, {})[item.key] = item
        return item

    def take(self, sender: int, role: Role, subject: bytes, item: Attestation) -> bool:
        """Keep a verified attestation of `subject` by the sender; True if it is one. Another subject is no fault."""
        signer, chain_id = self._context.host.signers[sender], self._context.secrets.chain_id
        if (item.key, item.role, item.subject_hash) != (signer.device_key, role, subject):
            return False
        if not is_signed(item.key, item.signature, "attestation", chain_id, attestation_message(role, subject)):
            self._context.refuse(sender, "attestation")
            return False
        self._kept.setdefault(subject, {})[item.key] = item
        return True

    def are_enough(self, subject: bytes) -> bool:
        """True once the threshold of signers attested a subject."""
        return len(self._kept.get(subject, {})) >= self._context.host.threshold

    async def submit_in_turn(self, kind: str, body: bytes, subject: bytes) -> None:
        """In this signer's turn, submit a record that has enough attestations."""
        if self._context.is_my_turn() and self.are_enough(subject):
            await self.submit(kind, body, subject)

    async def submit(self, kind: str, body: bytes, subject: bytes) -> None:
        """Submit a record with exactly `threshold` attestations, once a height: it may have been lost with a node."""
        host = self._context.host
        height = host.height()
        if self._submitted.get(subject) == height:
            return
        items = tuple(item for _, item in sorted(self._kept[subject].items()))[: host.threshold]
        await host.submit(kind, body, items)
        self._submitted[subject] = height
        host.event("treasury_record_submitted", kind=kind)

    def forget_but(self, subjects: Collection[bytes]) -> None:
        """Drop attestations of all other subjects."""
        self._kept = {subject: kept for subject, kept in self._kept.items() if subject in subjects}
        if len(self._submitted) > SUBMITTED_MAX:
            self._submitted.clear()
