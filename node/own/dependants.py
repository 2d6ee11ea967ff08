"""Covers of dependants whose keys this node holds: numbered secrets of its key ring, as the 24 words bring back.

A dependant's key that was made elsewhere signs elsewhere; it comes here in a bundle.
"""

from __future__ import annotations

from collections.abc import Callable

from governance.benefits.dependants import COVER, CoverAddBody
from governance.state.members import COVERS
from governance.tables import Draft
from ledger.errors import MutuaError
from ledger.records import Attestation, attest
from ledger.signatures import public_key_of
from wallet.keys import KeyRing

NUMBER_MAX = 4096
"""Dependants one key ring makes keys for."""
GAP_MAX = 8
"""Numbers are taken in order; this many in a row may be free because the rules refused what waited."""


def seeds_of(draft: Draft, keys: KeyRing) -> dict[bytes, bytes]:
    """Return the secrets of own dependants' covers by cover, as far as the ledger has them."""
    found: dict[bytes, bytes] = {}
    gap = 0
    for number in range(1, NUMBER_MAX + 1):
        seed = keys.dependant_seed(number)
        cover = public_key_of(seed)
        gap = gap + 1 if COVERS.find(draft, cover) is None else 0
        if gap > GAP_MAX:
            break
        if gap == 0:
            found[cover] = seed
    return found


def next_seed(keys: KeyRing, is_taken: Callable[[bytes], bool]) -> bytes:
    """Return the secret of the first numbered cover that is not taken. MutuaError `dependants_used_up`."""
    for number in range(1, NUMBER_MAX + 1):
        seed = keys.dependant_seed(number)
        if not is_taken(public_key_of(seed)):
            return seed
    what = f"this key ring made {NUMBER_MAX} covers"
    raise MutuaError("dependants_used_up", what, "bring a dependant's key from elsewhere, in a bundle")


def wanting(seed: bytes, chain_id: bytes, member: bytes) -> tuple[CoverAddBody, Attestation]:
    """Return the body that puts the cover of `seed` on a member's contract, and the cover's signature that agrees."""
    body = CoverAddBody(public_key_of(seed))
    return body, attest(seed, chain_id, COVER.role, COVER.subject(member, body))
