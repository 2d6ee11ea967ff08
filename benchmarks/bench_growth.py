"""What a claim, a block and the signers' reading cost after a long past: rows read, and milliseconds.

python benchmarks/bench_growth.py --pair 10000 --payments 20000 --cases 20000
python benchmarks/against.py f0ce4bc bench_growth --rounds 1 -- --cases 20000
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from places import CountingState, Place, place
from population import name_of, plain
from trees import keep, module_of, parser_of

from governance.day import Day
from governance.tables import Draft
from ledger.store import MemoryStore

filing = module_of("governance.filing.claims", "governance.benefits.claims")
audits, treasury = module_of("governance.voting.audits"), module_of("governance.money.treasury")
ClaimRow = module_of("governance.state.claims", "governance.benefits.claims").ClaimRow
rows_of_treasury = module_of("governance.state.treasury", "governance.money.treasury")
LedgerTreasury = module_of("node.treasury.view", "node.jobs.treasury_view").LedgerTreasury

PAIRS = 150
CASES_A_CLAIM = 100
COVER, PROVIDER, CLAIM = name_of("cover", 0), name_of("provider", 0), name_of("claim", 0)


def write(here: Place, change: Callable[[Day], None]) -> None:
    """Write rows of the past."""
    day = Day(Draft(here.store), here.height, bytes(32))
    change(day)
    here.store.write(day.draft.delta())


def claim_of(here: Place, codes: list[str], number: int) -> Any:
    """A claim of one line a code, of the first member with the first provider."""
    day = 1 + number % here.height
    lines = tuple(filing.ClaimLine("", code, (), 1, 20_000, day, day) for code in codes)
    body = filing.ClaimBody("", COVER, "member", "member", PROVIDER, b"", "claim", b"", 0, b"", (), b"", lines)
    return here.people.act("claim.file", body, COVER, name_of("filed", number))


def measured(work: Callable[[], int]) -> tuple[int, float]:
    """Return what `work` counts, and its milliseconds."""
    gc.collect()
    start = time.thread_time()
    count = work()
    return count, (time.thread_time() - start) * 1000


def pair_figures(size: int) -> tuple[int, float]:
    """A claim of a pair with `size` claims in the last terms."""

    def past(day: Day) -> None:
        row = plain(ClaimRow, claim=CLAIM, member=name_of("member", 0), cover=COVER, provider=PROVIDER)
        for _ in range(size):
            audits._count_pair(day, row)
        for number in range(PAIRS):
            other = plain(ClaimRow, claim=CLAIM, member=name_of("member", 0), cover=COVER, provider=bytes([1, number]))
            audits._count_pair(day, other)

    here = place("few")
    # written pair by pair: an older tree reads the whole of its histogram for each claim
    check, audits._is_over_percentile = audits._is_over_percentile, lambda *_: False
    write(here, past)
    audits._is_over_percentile = check
    return measured(lambda: sum(here.next([claim_of(here, ["S"], 0)]).values()))


def open_figures(size: int) -> tuple[int, float]:
    """A block without records while `size` cases are open."""
    here = place("few")
    codes = [f"Y{number}" for number in range(CASES_A_CLAIM)]
    claims = [claim_of(here, [f"{code}/{number}" for code in codes], number) for number in range(size // len(codes))]
    here.next(claims)
    here.next()
    return measured(lambda: sum(here.next().values()))


def apply(rule: Callable[..., None], day: Day, body: object) -> None:
    """Apply a rule; in older trees it does not take the record."""
    rule(day, *(None,) * (rule.__code__.co_argcount - 2), body)


def payment_figures(size: int) -> tuple[int, float]:
    """The signers' list of what to send, three payments of it, after `size` that were sent."""

    def past(day: Day) -> None:
        table, row = rows_of_treasury.TREASURY, rows_of_treasury.TreasuryRow
        table.put(day.draft, row("regtest", 1, (bytes(32),), 1, bytes(32), 0, 10**12))
        for number in range(size + 3):
            owed = {"payee": COVER, "amount_cents": 5, "amount_sat": 1_000, "commitment": name_of("list", number)}
            treasury.open_payment(day, name_of("paid", number), None, **owed)
        for first in range(0, size, 500):
            ids = [
                treasury.payment_id_of(name_of("paid", number), None, day.height)
                for number in range(first, min(first + 500, size))
            ]
            paid = tuple(rows_of_treasury.BatchPayout(payment, 1_000, 0, 0, 4) for payment in ids)
            before = name_of("batch", first - 500)
            body = rows_of_treasury.BatchBody(before, 0, name_of("batch", first), 0, 0, 10**12, paid)
            apply(treasury.apply_batch, day, body)
            apply(treasury.apply_confirm, day, treasury.ConfirmBody(body.unsigned_txid, 6, 1))

    here = Place({}, place("few").people, place("few").height)
    here.store = MemoryStore(dict(place("few").store.scan(b"")))
    write(here, past)
    state = CountingState(here.store)

    def read() -> int:
        LedgerTreasury(state).payouts_due()
        return sum(state.reads.values())

    return measured(read)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--pair", type=int, default=10_000, help="claims of one provider-cover pair")
    parser.add_argument("--payments", type=int, default=20_000, help="payments that were sent")
    parser.add_argument("--cases", type=int, default=20_000, help="open cases")
    chosen = parser.parse_args()
    figures: dict[str, float] = {}
    for name, measure, size in (
        ("a claim of a pair with claims", pair_figures, chosen.pair),
        ("payments due after payments", payment_figures, chosen.payments),
        ("a quiet block with open cases", open_figures, chosen.cases),
    ):
        for at in (size // 100, size):
            rows, spent_ms = measure(at)
            figures[f"{name}, {at}: rows"], figures[f"{name}, {at}: ms"] = rows, spent_ms
            print(f"{name:<34} {at:>8} {rows:>10} rows {spent_ms:>10.2f} ms", flush=True)
    keep(chosen.json, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
