import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import MutuaError
from wallet.mnemonic import seed_of, words_of


@given(st.binary(min_size=32, max_size=32))
def test_words_give_the_seed_back(seed: bytes) -> None:
    words = words_of(seed)
    assert len(words) == 24
    assert seed_of("  " + "\n".join(words).upper()) == seed


def test_words_follow_bip39() -> None:
    assert words_of(bytes(32)) == ("abandon",) * 23 + ("art",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "words_count"),
        ("abandon " * 23, "words_count"),
        ("abandon " * 23 + "mutua", "words_unknown"),
        ("abandon " * 24, "words_checksum"),
    ],
)
def test_wrong_words_are_named(text: str, code: str) -> None:
    with pytest.raises(MutuaError) as caught:
        seed_of(text)
    assert caught.value.code == code
