"""Every key of a member, from one 32-byte master seed: kinds never mix, because each has its own tagged hash.

| kind | curve | what it signs |
|---|---|---|
| identity | Ed25519 | the member's own acts: contracts, device keys |
| device | Ed25519 | daily records (ballots); its X25519 form opens sealed boxes |
| cover | Ed25519 | claims: the pseudonym of a cover; dependants have numbered ones |
| consensus | Ed25519 | proposals, votes, certificates |
| transport | Ed25519 | the libp2p peer id |
| bitcoin | BIP32 | a root: the treasury signer's key, and accounts for payout addresses |

The onion is a chain of SHA-256 over a secret of its own; each block a member proposes reveals one more layer
(`node.execution.apply`: `sha256(reveal)` is the value revealed before). A lost key file is restored from the 24 words
of the seed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger.errors import MutuaError
from ledger.hashing import tagged_hash
from ledger.signatures import public_key_of

if TYPE_CHECKING:
    from embit.bip32 import HDKey

SEED_SIZE = 32
ONION_LAYERS = 4096
"""Blocks one member can propose with one onion: eleven years of daily blocks if it proposed every one of them."""
ONION_CHECKPOINT_EVERY = 64
"""Every 64th layer is kept (2 KiB), so a reveal costs at most 63 hashes, about 20 µs."""
TREASURY_PATH = "m/48h/1h/0h/2h/0/0"
"""BIP48: multisig, test network, account 0, native P2WSH."""


@dataclass(frozen=True, slots=True)
class Onion:
    """A chain of hashes, opened from the outside in. `tip` is public from the charter on."""

    tip: bytes
    layers: int
    checkpoints: tuple[bytes, ...] = field(repr=False)
    """Depth 0 (the secret), 64, 128, …"""

    @staticmethod
    def from_secret(secret: bytes, layers: int = ONION_LAYERS) -> Onion:
        """Return the onion whose innermost value is the 32-byte `secret`: tip = SHA-256 applied `layers` times."""
        checkpoints = [secret]
        value = secret
        for depth in range(1, layers + 1):
            value = sha256(value).digest()
            if depth % ONION_CHECKPOINT_EVERY == 0:
                checkpoints.append(value)
        return Onion(value, layers, tuple(checkpoints))

    def reveal(self, gone: int) -> bytes:
        """Return the next layer when `gone` layers are gone; MutuaError `onion_used_up` after the last.

        SHA-256 of reveal 0 is the tip, of reveal 1 is reveal 0, and so on.
        """
        if not 0 <= gone < self.layers:
            what = f"{gone} of {self.layers} onion layers are gone"
            raise MutuaError("onion_used_up", what, "register a new onion with a key change")
        depth = self.layers - 1 - gone
        value = self.checkpoints[depth // ONION_CHECKPOINT_EVERY]
        for _ in range(depth % ONION_CHECKPOINT_EVERY):
            value = sha256(value).digest()
        return value


@dataclass(frozen=True)
class KeyRing:
    """A member's secrets and their public keys. Its `repr` shows no secret; never log a `_seed` attribute."""

    identity_seed: bytes = field(repr=False)
    device_seed: bytes = field(repr=False)
    cover_seed: bytes = field(repr=False)
    consensus_seed: bytes = field(repr=False)
    transport_seed: bytes = field(repr=False)
    bitcoin_root_seed: bytes = field(repr=False)
    onion_secret: bytes = field(repr=False)
    identity_key: bytes = field(init=False)
    """The member's name on the ledger (32 bytes)."""
    device_key: bytes = field(init=False)
    """The key of daily records (32 bytes)."""
    cover_key: bytes = field(init=False)
    """The pseudonym that signs claims (32 bytes): the `cover_id`."""
    consensus_key: bytes = field(init=False)
    """The key of votes on blocks (32 bytes)."""
    transport_key: bytes = field(init=False)
    """The key behind the libp2p peer id (32 bytes)."""

    def __post_init__(self) -> None:
        for kind in ("identity", "device", "cover", "consensus", "transport"):
            object.__setattr__(self, f"{kind}_key", public_key_of(getattr(self, f"{kind}_seed")))

    @staticmethod
    def from_seed(seed32: bytes) -> KeyRing:
        """Return the keys of a master seed (32 bytes). The same seed gives the same keys for ever."""
        if len(seed32) != SEED_SIZE:
            what = f"a master seed has {SEED_SIZE} bytes, not {len(seed32)}"
            raise MutuaError("seed_size", what, "restore it from its 24 words")
        kinds = ("identity", "device", "cover", "consensus", "transport", "bitcoin", "onion")
        return KeyRing(*(tagged_hash("key-" + kind, seed32) for kind in kinds))

    def dependant_seed(self, number: int) -> bytes:
        """Return the secret of the dependant's cover `number` (1, 2, …): the 24 words bring these back, too."""
        return tagged_hash("key-cover-dependant", self.cover_seed, number.to_bytes(4, "big"))

    @cached_property
    def bitcoin_root(self) -> HDKey:
        """Return the BIP32 root (embit)."""
        from embit.bip32 import HDKey

        return HDKey.from_seed(self.bitcoin_root_seed)

    @cached_property
    def bitcoin_secret(self) -> bytes:
        """Return the treasury signer's secp256k1 secret (32 bytes), at `TREASURY_PATH`."""
        return self.bitcoin_root.derive(TREASURY_PATH).key.serialize()

    @cached_property
    def bitcoin_key(self) -> bytes:
        """Return the treasury signer's compressed public key (33 bytes)."""
        return self.bitcoin_root.derive(TREASURY_PATH).to_public().key.sec()

    @cached_property
    def onion(self) -> Onion:
        """Return the onion of this member's proposals (4096 hashes, about 1 ms, once)."""
        return Onion.from_secret(self.onion_secret)


def new_seed() -> bytes:
    """Return a fresh master seed from the operating system's randomness."""
    return secrets.token_bytes(SEED_SIZE)
