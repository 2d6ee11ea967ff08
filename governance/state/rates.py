"""The exchange rate, who may quote it, and the quotes of the block."""

from __future__ import annotations

from governance.tables import Mark, Number, Table

EXCHANGE_RATE = Table("money/rate", Number)
QUOTES = Table("money/quote", Number)
"""Quotes of the block under way, by author; gone at the end of day."""
QUOTERS = Table("money/quoter", Mark)
"""Members with a seat on the committee. No row at all (a rehearsal): every member may quote."""
