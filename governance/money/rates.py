"""The exchange rate: minor units per bitcoin, quoted by committee members, moved by at most a tenth a block."""

from __future__ import annotations

from governance.acts import Act
from governance.day import Day, ceil_div, lower_median
from governance.membership import members
from governance.state.rates import EXCHANGE_RATE, QUOTERS, QUOTES
from governance.tables import Draft, Mark, Number
from ledger.codec import Shape
from ledger.errors import RuleBroken

RATE_MAX = 10**15


# ---- Records ------------------------------------------------------------
class QuoteBody(Shape):
    """The author's price of one bitcoin, in minor units."""

    rate: int


# ---- Rules --------------------------------------------------------------
def rate_now(day: Day) -> int | None:
    """Return the rate in force, or None before any quote."""
    row = EXCHANGE_RATE.find(day.draft)
    return None if row is None else row.value


def put_quoters(draft: Draft, keys: tuple[bytes, ...]) -> None:
    """Name who may quote: without that one member alone could move the rate by a tenth each day."""
    for key in keys:
        QUOTERS.put(draft, Mark(), key)


def check_quote(day: Day, act: Act, body: QuoteBody) -> None:
    """Raise RuleBroken unless a member of the committee quotes a possible rate (rules §11)."""
    members.check_member(day.draft, act.author)
    if QUOTERS.find(day.draft, act.author) is None and any(True for _ in QUOTERS.scan(day.draft)):
        raise RuleBroken("not_on_committee", "only committee members may quote", "ask a committee member to quote")
    if not 1 <= body.rate <= RATE_MAX:
        what = f"a rate of {body.rate} is outside 1..{RATE_MAX}"
        raise RuleBroken("rate_range", what, "quote minor units per bitcoin")


def apply_quote(day: Day, act: Act, body: QuoteBody) -> None:
    """Take a quote; the author's last one in a block counts."""
    QUOTES.put(day.draft, Number(body.rate), act.author)


def end_day(day: Day) -> None:
    """Set the rate to the lower median of the block's quotes, at most `rate_move_bp` from the old, rounded inwards."""
    quotes = [row.value for row in QUOTES.scan(day.draft)]
    if not quotes:
        return
    for key in [key for key, _ in day.draft.walk(QUOTES.prefix, QUOTES.prefix, QUOTES.decoder)]:
        day.draft.write(QUOTES.prefix, key, None)
    old = rate_now(day)
    new = lower_median(quotes)
    if old is not None:
        move_bp = day.params.rate_move_bp
        new = min(max(new, ceil_div(old * (10_000 - move_bp), 10_000)), old * (10_000 + move_bp) // 10_000)
    EXCHANGE_RATE.put(day.draft, Number(new))
    day.emit("rate_set", **{"from": old, "to": new})
