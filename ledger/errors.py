"""The families of errors: yours (a record refused), theirs (bytes that are not well formed), ours (a broken ledger).

Every error a person may read says what happened and how to fix it. `code` is stable, for machines, and each code has
a section in `docs/reference/errors.md`.
"""

from __future__ import annotations

REBUILD = (
    "move `ledger` and `ledger.end` away as evidence, leave every other file in its place, and start: the node fetches"
    " the blocks from its peers"
)
"""What to do about a ledger that is damaged or incomplete. The log of votes and the promises must stay."""


class MutuaError(Exception):
    """An expected failure that a person may read: a stable code, what happened, how to fix it."""

    def __init__(self, code: str, what: str, hint: str = "") -> None:
        super().__init__(f"{what}; {hint}" if hint else what)
        self.code = code
        self.what = what
        self.hint = hint


class RuleBroken(MutuaError):
    """Yours: a record that the co-op's rules refuse. Nothing changes; the member is told why."""


class MalformedBytes(MutuaError):
    """Theirs: bytes that do not decode, or that do not re-encode to themselves."""


class LedgerCorrupt(MutuaError):
    """Ours: the stored ledger contradicts itself. Stop, keep the evidence."""


def family_of(error: MutuaError) -> str:
    """Return whose fault it is, as the API says it: rule (yours), malformed (theirs) or node."""
    return "rule" if isinstance(error, RuleBroken) else "malformed" if isinstance(error, MalformedBytes) else "node"
