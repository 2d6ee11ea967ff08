import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import MutuaError
from wallet.splits import DMIN_SAT, Owed, split_amount

AMOUNTS = st.integers(0, 10**12)


@given(AMOUNTS, st.integers(4, 40))
def test_pieces_queue_and_credit_sum_to_the_amount_exactly(amount: int, outputs_max: int) -> None:
    split = split_amount(Owed(b"p", amount), outputs_max=outputs_max)
    assert split.paid_sat + split.queued_sat + split.credit_sat == amount
    assert split.credit_sat < DMIN_SAT or not split.pieces_sat
    assert len(split.pieces_sat) <= outputs_max


@given(AMOUNTS)
def test_every_output_is_a_standard_denomination_and_a_payee_has_four_or_none(amount: int) -> None:
    split = split_amount(Owed(b"p", amount))
    assert all(
        str(piece // DMIN_SAT).rstrip("0") in {"1", "2", "5"} and piece % DMIN_SAT == 0 for piece in split.pieces_sat
    )
    assert list(split.pieces_sat) == sorted(split.pieces_sat, reverse=True)
    assert (
        (4 <= len(split.pieces_sat) <= 32)
        if amount >= 4 * DMIN_SAT
        else (split.pieces_sat == () and split.credit_sat == amount)
    )


@given(AMOUNTS)
def test_thirty_two_outputs_are_always_enough(amount: int) -> None:
    assert split_amount(Owed(b"p", amount)).queued_sat == 0


@pytest.mark.parametrize(
    ("amount", "pieces", "credit"),
    [
        (39_999, (), 39_999),
        (40_000, (1, 1, 1, 1), 0),
        (50_000, (2, 1, 1, 1), 0),
        (100_000, (5, 2, 2, 1), 0),
        (180_001, (10, 5, 2, 1), 1),
        (380_000, (20, 10, 5, 2, 1), 0),
        (1_234_567, (100, 20, 2, 1), 4_567),
        (2_000_000, (50, 50, 50, 50), 0),
    ],
)
def test_worked_examples(amount: int, pieces: tuple[int, ...], credit: int) -> None:
    split = split_amount(Owed(b"p", amount))
    assert tuple(piece // DMIN_SAT for piece in split.pieces_sat) == pieces
    assert split.credit_sat == credit


def test_pieces_over_the_limit_wait() -> None:
    split = split_amount(Owed(b"p", 9_990_000), outputs_max=4)
    assert len(split.pieces_sat) == 4
    assert split.queued_sat == 9_990_000 - split.paid_sat > 0


@pytest.mark.parametrize("amount", [-1, 21 * 10**14 + 1])
def test_an_impossible_amount_is_refused(amount: int) -> None:
    with pytest.raises(MutuaError):
        split_amount(Owed(b"p", amount))
