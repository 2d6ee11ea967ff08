"""The master seed as 24 English words: BIP39 entropy and checksum, no passphrase. The words *are* the seed."""

from __future__ import annotations

from functools import cache

from mnemonic import Mnemonic

from ledger.errors import MutuaError
from wallet.keys import SEED_SIZE

WORD_COUNT = 24


@cache
def _english() -> Mnemonic:
    return Mnemonic("english")


def words_of(seed: bytes) -> tuple[str, ...]:
    """Return the 24 words of a 32-byte seed. Write them on paper; whoever has them is you."""
    if len(seed) != SEED_SIZE:
        what = f"a master seed has {SEED_SIZE} bytes, not {len(seed)}"
        raise MutuaError("seed_size", what, "make one with mutua init")
    return tuple(_english().to_mnemonic(seed).split())


def seed_of(text: str) -> bytes:
    """Return the seed of 24 words in any case and spacing. Errors: `words_count`, `words_unknown`, `words_checksum`."""
    words = text.lower().split()
    if len(words) != WORD_COUNT:
        raise MutuaError("words_count", f"{len(words)} words were given", f"write all {WORD_COUNT} in their order")
    known = set(_english().wordlist)
    for position, word in enumerate(words, 1):
        if word not in known:
            hint = "compare it with your paper; the first four letters are enough to identify a word"
            raise MutuaError("words_unknown", f"word {position} is not in the list", hint)
    try:
        return bytes(_english().to_entropy(words))
    except ValueError:
        what = "every word is on the list, but together they are not valid"
        raise MutuaError("words_checksum", what, "look for a swapped or misread word") from None
