"""The job and governance agree: what one builds, the other takes; what the ledger then shows, every signer rebuilds."""

import pytest

from governance.acts import Act
from governance.day import Day
from governance.money import treasury
from governance.params import params_of, put_params
from governance.state.treasury import PAYMENTS, TREASURY, TreasuryRow
from governance.tables import Draft
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.records import attest
from node.treasury.messages import ConfirmBody, confirm_subject
from node.treasury.plan import build_plan, choose, rebuild_plan
from node.treasury.view import LedgerTreasury, Signer, index_of
from wallet.addresses import claim_programs
from wallet.keys import KeyRing
from wallet.transactions import CHANGE_VOUT, Outpoint, Treasury

RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 8)]
BITCOIN = Treasury.of(5, [ring.bitcoin_key for ring in RINGS])
CHAIN = b"c" * 32
PAYEE = KeyRing.from_seed(bytes(32))


class State:
    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get(self, key: bytes):
        return self.rows.get(key)

    def scan(self, prefix: bytes, start: bytes = b""):
        yield from (
            (key, self.rows[key]) for key in sorted(self.rows) if key.startswith(prefix) and key >= prefix + start
        )

    def apply(self, draft: Draft) -> None:
        for key, value in draft.delta().items():
            if value is None:
                del self.rows[key]
            else:
                self.rows[key] = value


@pytest.fixture
def state():
    made = State()
    draft = Draft(made)
    put_params(draft, params_of({"crowd_payees": 3}), 0)
    TREASURY.put(draft, TreasuryRow("regtest", 5, tuple(ring.device_key for ring in RINGS), 2, b"b" * 32, 1, 10**8))
    made.apply(draft)
    return made


def owe(state: State, height: int, payments: list[tuple[bytes, str | None, int]]) -> None:
    draft = Draft(state)
    day = Day(draft, height, bytes(32))
    for claim, case, amount_sat in payments:
        treasury.open_payment(
            day, claim, case, payee=b"cover", amount_cents=100, amount_sat=amount_sat, commitment=b"list-" + claim
        )
    state.apply(draft)


def act_of(body, role: str, subject: bytes) -> Act:
    attestations = tuple(attest(ring.device_seed, CHAIN, role, subject) for ring in RINGS[:5])
    return Act("kind", RINGS[0].identity_key, RINGS[0].device_key, b"r" * 32, 1, 99, encode(body), attestations)


def programs_of(view: LedgerTreasury) -> dict[bytes, tuple[bytes, ...]]:
    payouts = [*view.payouts_due(), *(item for batch in view.open_batches() for item in batch.payouts)]
    return {item.commitment: claim_programs(PAYEE.bitcoin_root, item.commitment[-1], 20) for item in payouts}


def test_batches_over_one_list_chain_through_governance_without_paying_an_address_twice(state) -> None:
    view = LedgerTreasury(state)
    paid: list[bytes] = []
    for height, claims in (
        (5, [(b"a", None, 180_001), (b"a", "X1", 90_000), (b"b", None, 70_000), (b"c", None, 9_999)]),
        (9, [(b"a", "X2", 280_000), (b"d", None, 50_000), (b"e", None, 60_000)]),
    ):
        owe(state, height, claims)
        programs = programs_of(view)
        chosen = choose(view.payouts_due(), programs, height, view.policy())
        assert len(chosen) == len(view.payouts_due()) == len(claims)
        baton = view.outpoint()
        plan = build_plan(BITCOIN, baton, chosen[::-1], programs, view.policy(), locktime=height)
        draft = Draft(state)
        day, act = Day(draft, height + 1, bytes(32)), act_of(plan.body, "batch", plan.subject)
        treasury.check_batch(day, act, plan.body)
        treasury.apply_batch(day, act, plan.body)
        state.apply(draft)
        assert view.outpoint() == Outpoint(plan.txid, CHANGE_VOUT, plan.batch.change_sat) and not view.payouts_due()
        (opened,) = view.open_batches()
        assert rebuild_plan(BITCOIN, opened, programs, view.policy()).batch.unsigned == plan.batch.unsigned
        put_draft = Draft(state)
        put_params(
            put_draft, params_of({"crowd_payees": 3, "outputs_min": 7}), height
        )  # a boundary with a new parameter
        state.apply(put_draft)
        assert rebuild_plan(BITCOIN, opened, programs, view.policy()).txid == plan.txid
        put_params(put_draft, params_of({"crowd_payees": 3}), height + 1)
        state.apply(put_draft)
        paid += [payment.program for payment in plan.batch.payments]
        confirm = ConfirmBody(plan.txid, 1, 200 + height)
        draft = Draft(state)
        day = Day(draft, height + 2, bytes(32))
        act = act_of(confirm, "confirm", confirm_subject(confirm))
        treasury.check_confirm(day, act, confirm)
        treasury.apply_confirm(day, act, confirm)
        state.apply(draft)
        assert view.open_batches() == []
    assert len(paid) == len(set(paid)) > 20
    assert {row.status for row in PAYMENTS.scan(Draft(state))} == {"confirmed"}
    assert list(treasury.broken_invariants(Draft(state))) == []


def test_two_open_batches_are_walked_back_from_the_baton_with_the_addresses_each_began_at(state) -> None:
    view = LedgerTreasury(state)
    plans = []
    for height in (5, 6):
        owe(state, height, [(b"a", f"X{height}", 180_001)])
        programs = programs_of(view)
        plan = build_plan(BITCOIN, view.outpoint(), view.payouts_due(), programs, view.policy(), locktime=0)
        draft = Draft(state)
        treasury.apply_batch(Day(draft, height, bytes(32)), act_of(plan.body, "batch", plan.subject), plan.body)
        state.apply(draft)
        plans.append(plan)
    opened = view.open_batches()
    assert [batch.body for batch in opened] == [plan.body for plan in plans]
    assert [batch.payouts[0].first_output for batch in opened] == [0, 4]
    assert [rebuild_plan(BITCOIN, batch, programs, view.policy()).txid for batch in opened] == [
        plan.txid for plan in plans
    ]


def test_a_ledger_without_a_treasury_has_nothing_to_do() -> None:
    view = LedgerTreasury(State())
    assert view.outpoint() is None and view.open_batches() == [] and view.payouts_due() == []
    with pytest.raises(MutuaError):
        view.policy()


def test_a_signer_knows_its_place() -> None:
    signers = [Signer(ring.device_key, ring.bitcoin_key) for ring in RINGS]
    assert index_of(signers, RINGS[3].device_key) == 3 and index_of(signers, bytes(32)) is None
    assert Outpoint(b"b" * 32, 1, 10**8).amount_sat == 10**8
