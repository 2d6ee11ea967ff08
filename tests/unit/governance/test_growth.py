"""Work goes by what changed or is due: rows read are counted for several sizes of the past."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.places import FEW, CountingState, Place, founded, place
from benchmarks.population import name_of, plain
from governance.benefits import contracts
from governance.day import Day
from governance.filing.claims import ClaimBody, ClaimLine
from governance.invariants import all_broken_invariants
from governance.money import deposits, treasury
from governance.state.appeals import APPEALS, OPEN_APPEALS, AppealRow
from governance.state.cases import CASES, OPEN_CASES, streak_of
from governance.state.claims import ClaimRow
from governance.state.proposals import ProposalRow, propose_body
from governance.state.treasury import TREASURY, BatchBody, BatchPayout, TreasuryRow
from governance.tables import Draft
from governance.views.claims import claim_view
from governance.voting import appeals, audits, proposals
from node.api.reads import Reads
from node.api.views.claims import CLAIMS
from node.treasury.view import LedgerTreasury

SIZES = (10, 100, 400)
CLAIM, COVER, PROVIDER = name_of("claim", 0), name_of("cover", 0), name_of("provider", 0)


def with_rows(here: Place, change) -> Place:
    """Let `change` write rows of the past into a place; every invariant holds after it."""
    day = Day(Draft(here.store), here.height, bytes(32))
    change(day)
    here.store.write(day.draft.delta())
    return here


def check_equal(costs: list[int]) -> None:
    assert max(costs) == min(costs) > 0, f"rows read for pasts of {SIZES}: {costs}"


def claim_of(here: Place, lines: tuple[ClaimLine, ...], number: int):
    body = ClaimBody("", COVER, "member", "member", PROVIDER, b"", "claim", b"", 0, b"", (), b"", lines)
    return here.people.act("claim.file", body, COVER, name_of("filed", number))


@pytest.mark.parametrize("pairs", [150, 50], ids=["judged", "too few pairs to judge"])
def test_a_claim_reads_the_same_after_many_claims_of_its_pair(pairs) -> None:
    costs = []
    for size in SIZES:

        def past(day: Day, size: int = size) -> None:
            for pair in range(pairs):
                row = plain(ClaimRow, claim=CLAIM, member=name_of("member", 0), cover=COVER, provider=PROVIDER)
                row = row if pair == 0 else plain(ClaimRow, **{**filled(row), "provider": name_of("provider", pair)})
                for _ in range(size if pair == 0 else 1):
                    audits.after_claim(day, row)

        here = with_rows(place("few"), past)
        line = ClaimLine("", "S", (), 1, 20_000, here.height, here.height)
        costs.append(sum(here.next([claim_of(here, (line,), 0)]).values()))
        assert list(audits.broken_invariants(Draft(here.store))) == []
    check_equal(costs)


def filled(row) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def with_open_cases(count: int) -> Place:
    """Fifty cases a claim, as fifty codes of one bill."""
    here = place("few")
    lines = tuple(ClaimLine("", f"Y{i}", (), 1, 20_000, here.height, here.height) for i in range(50))
    here.next([claim_of(here, replaced(lines, number), number) for number in range(count // 50)])
    return here


def replaced(lines: tuple[ClaimLine, ...], number: int) -> tuple[ClaimLine, ...]:
    """The same lines of another day: a line is filed once."""
    return tuple(
        plain(ClaimLine, **{**filled(line), "first_day": 1 + number, "last_day": 1 + number}) for line in lines
    )


def test_a_quiet_block_reads_the_same_with_many_open_cases_and_a_ballot_adds_its_own_case() -> None:
    quiet, voted = [], []
    for count in (50, 500, 1_000):
        here = with_open_cases(count)
        here.next()
        quiet.append(sum(here.next().values()))
        voted.append(sum(here.next([here.people.ballot((name_of("filed", 0), "Y7", 0))]).values()))
    assert max(quiet) == min(quiet), f"rows read by a quiet block: {quiet}"
    assert max(voted) == min(voted), f"rows read by a block of one ballot: {voted}"


def test_a_case_that_nobody_touches_is_accepted_in_its_fifteenth_passing_block_and_told_as_passing_till_then() -> None:
    here = with_open_cases(50)
    claim, code = name_of("filed", 0), "Y3"
    here.next([here.people.ballot((claim, code, 0)) for _ in range(12)])
    since = here.height
    for passed in range(1, 15):
        draft = Draft(here.store)
        case = CASES.get(draft, claim, code)
        assert (case.status, streak_of(case, here.height)) == ("open", passed)
        view = claim_view(here.store, here.height, claim)
        assert view is not None and next(item.streak for item in view.cases if item.code == code) == passed
        here.next()
    case = CASES.get(Draft(here.store), claim, code)
    assert (case.status, case.closed_height, streak_of(case, 999)) == ("accepted", since + 14, 15)
    assert all_broken_invariants(here.store) == []


def test_a_day_of_a_delegation_asks_each_open_case_of_the_topic_for_a_row_and_reads_no_case() -> None:
    here = with_open_cases(500)
    open_cases = sum(1 for _ in OPEN_CASES.scan(Draft(here.store)))
    reads = here.next([here.people.delegate()])
    assert reads["voting/case"] <= len(here.people.open_cases)  # those of the population have ballots
    assert reads["voting/tally"] <= open_cases


def test_the_due_payments_and_the_open_batches_read_the_same_after_many_payments() -> None:
    costs, opened = [], []
    for size in SIZES:

        def past(day: Day, size: int = size) -> None:
            TREASURY.put(day.draft, TreasuryRow("regtest", 1, (bytes(32),), 1, bytes(32), 0, 10**12))
            for number in range(size + 3):
                owed = {"payee": COVER, "amount_cents": 5, "amount_sat": 1_000, "commitment": name_of("list", number)}
                treasury.open_payment(day, name_of("paid", number), None, **owed)
                if number < size:
                    name = treasury.payment_id_of(name_of("paid", number), None, day.height)
                    before = TREASURY.get(day.draft).outpoint_txid
                    paid = (BatchPayout(name, 1_000, 0, 0, 4),)
                    body = BatchBody(before, 0, name_of("batch", number), 0, 0, 10**12, paid)
                    treasury.apply_batch(day, None, body)
                    if number < size - 1:
                        treasury.apply_confirm(day, None, treasury.ConfirmBody(body.unsigned_txid, 6, 1))

        here = with_rows(place("few"), past)
        assert list(treasury.broken_invariants(Draft(here.store))) == []
        state = CountingState(here.store)
        assert len([item for item in LedgerTreasury(state).payouts_due() if item.amount_sat == 1_000]) == 3
        costs.append(sum(state.reads.values()))
        state.reads.clear()
        (batch,) = LedgerTreasury(state).open_batches()
        opened.append(sum(state.reads.values()))
        assert [item.first_output for item in batch.payouts] == [0]
    check_equal(costs)
    check_equal(opened)


def test_the_view_of_a_claim_reads_the_same_after_many_payments_of_others() -> None:
    costs = []
    for size in SIZES:
        here = place("few")
        claim = here.people.claim(here.height, "S")
        here.next([claim]), here.next()

        def past(day: Day, size: int = size) -> None:
            for number in range(size):
                owed = {"payee": COVER, "amount_cents": 5, "amount_sat": 1_000, "commitment": b"list"}
                treasury.open_payment(day, name_of("paid", number), None, **owed)

        with_rows(here, past)
        state = CountingState(here.store)
        view = claim_view(state, here.height, claim.record_id)
        assert view is not None and len(view.payouts) == 1
        costs.append(sum(state.reads.values()))
    check_equal(costs)


def test_a_quiet_block_reads_the_same_with_many_open_proposals_and_appeals() -> None:
    costs = []
    for size in SIZES:

        def past(day: Day, size: int = size) -> None:
            decided = next(CASES.scan(day.draft))
            for number in range(size):
                body = propose_body("param", name="crowd_wait", value=5)
                proposals.open_proposal(day, ProposalRow(name_of("proposal", number), body))
                case = plain(type(decided), **{**filled(decided), "code": f"Z{number}", "status": "denied"})
                CASES.put(day.draft, case, case.claim, case.code)
                row = AppealRow(case.claim, case.code, day.height, "rule", (), "open")
                APPEALS.put(day.draft, row, case.claim, case.code)
                due = appeals.judged_at(day.draft, row)
                OPEN_APPEALS.put(day.draft, appeals.CaseKey(row.claim, row.code), due, row.height, row.claim, row.code)

        here = with_rows(place("old"), past)
        costs.append(sum(here.next().values()))
        for check in (proposals.broken_invariants, appeals.broken_invariants):
            assert list(check(Draft(here.store))) == []
    check_equal(costs)


def test_a_boundary_visits_nobody_who_left() -> None:
    costs = []
    for gone in (0, 50, 100):
        here = founded(FEW, "old", 20)

        def leave(day: Day, gone: int = gone) -> None:
            for number in range(gone):
                contracts.end_contract(day, name_of("member", FEW - 1 - number))
            deposits.end_term(day)

        with_rows(here, leave)
        costs.append(sum((here.next() + here.next()).values()))
        assert (
            list(contracts.broken_invariants(Draft(here.store), Day(Draft(here.store), 1, b"").counts.rates_cents))
            == []
        )
    assert costs[0] > costs[1] > costs[2]
    a_member = (costs[0] - costs[2]) / 100
    assert a_member >= 5, f"who left costs like who stayed: {costs}"


def test_a_view_that_is_asked_again_is_read_once_a_block() -> None:
    here = place("old")
    state = CountingState(here.store)
    chain = SimpleNamespace(state=state, height=here.height)
    reads = Reads(SimpleNamespace(chain=chain))
    first = reads.view(CLAIMS)
    once = sum(state.reads.values())
    assert first and reads.view(CLAIMS) is first and sum(state.reads.values()) == once
    chain.height += 1
    assert reads.view(CLAIMS) is not first and sum(state.reads.values()) == 2 * once
