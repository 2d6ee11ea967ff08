"""Block 0: the charter the founders agree on and sign. Its bytes are the chain: chain_id = H("charter", bytes).

People read and sign a TOML file (`mutua charter new|add|seal|show`); the program reads this shape of it. Figures are
integers in minor units; heights and terms as everywhere. What the figures mean is the business of `governance.genesis`.
"""

from __future__ import annotations

from ledger.codec import Shape, encode
from ledger.hashing import tagged_hash

CHARTER_VERSION = 1


class Founder(Shape):
    """A founding member: one key of each kind, where its node listens, and the cover it starts with.

    `cover_key` is the pseudonymous Ed25519 key that signs this member's claims: claims name it as `cover_id`, and the
    state keeps the link to `identity_key` in one table. `signature` (by the identity key, tag "charter-founder") covers
    the entry with an empty signature and the charter's name.
    """

    identity_key: bytes
    device_key: bytes
    """Ed25519; signs ballots and other daily records; sealed boxes to this member use its X25519 form."""
    cover_key: bytes
    consensus_key: bytes
    transport_key: bytes
    bitcoin_key: bytes
    """Compressed secp256k1 key (33 bytes) of the treasury signer; empty when the founder is not a signer."""
    onion_tip: bytes
    address: str
    """Multiaddr of the node without the peer id, such as /ip4/127.0.0.1/tcp/4001."""
    household: str
    plan: str
    contract_terms: int
    prepaid_terms: int
    """Premiums of this many first terms are already inside the genesis accounts: they do not fall due."""
    signature: bytes


class CharterPlan(Shape):
    """A plan at genesis (rules §3). None where there is no ceiling or maximum."""

    name: str
    premium_cents: int
    deductible_cents: int
    copay_cents: int
    coinsurance_bp: int
    oop_max_cents: int | None
    claim_ceiling_cents: int | None
    year_ceiling_cents: int | None
    waiting_terms: int
    prior_cents: int | None
    codes: tuple[str, ...]
    """Covered codes; empty covers every code."""


class CharterCode(Shape):
    """A code of the founding list (rules §4)."""

    system: str
    code: str
    is_standard: bool
    allowed_cents: int | None
    frequency: int | None


class CharterProvider(Shape):
    """A provider of the founding list: the key that attests claims."""

    key: bytes
    identifier: str


class CharterParty(Shape):
    """A party the founders trust with one question: an enrolment attester, or a verifier of providers."""

    key: bytes
    name: str


class CharterTreasury(Shape):
    """The m-of-n P2WSH treasury over the founders' bitcoin keys, and the first treasury outpoint, which funds it."""

    network: str
    threshold: int
    txid: bytes
    vout: int
    amount_sat: int
    fee_sat_per_vb: int


class Charter(Shape):
    """Everything block 0 says."""

    version: int
    name: str
    currency: str
    exponent: int
    phase: str
    genesis_time_ms: int
    block_interval_ms: int
    day_one: str
    """ISO date of height 1: `day` numbers on claims are heights."""
    seed: bytes
    """32 bytes of randomness; R_0."""
    committee_max: int
    claims_cents: int
    reserve_cents: int
    rate: int
    """Minor units per bitcoin at genesis."""
    claim_way: str
    """The default way of a claim: "standard_or_vote" (rules §5, §6)."""
    params: tuple[tuple[str, int], ...]
    """Overrides of the defaults of rules.md, sorted by name."""
    plans: tuple[CharterPlan, ...]
    codes: tuple[CharterCode, ...]
    providers: tuple[CharterProvider, ...]
    attesters: tuple[CharterParty, ...]
    """Enrolment attesters: two sign that an applicant is not already a member. Empty: the treasury's signers do."""
    verifiers: tuple[CharterParty, ...]
    """Verifiers of providers: one signature lists a provider."""
    community: tuple[str, ...]
    """Names of the community schemes: in them a provider files for a patient, and is paid (rules §5)."""
    treasury: CharterTreasury
    founders: tuple[Founder, ...]


def chain_id_of(charter: Charter) -> bytes:
    """Return the 32-byte id of the chain that this charter begins."""
    return tagged_hash("charter", encode(charter))
