"""What can go wrong between a client and the daemon, as the other side of the socket sees it.

These are not the ledger's own errors: the terminal UI knows the API only. They read the same way: a stable code, what
happened, how to fix it.
"""

from __future__ import annotations


class ApiError(Exception):
    """An error that the daemon answered, or that the client found.

    `status` is the HTTP status, 0 where there was no answer. `family` is rule (the rules refuse it), malformed (the
    request does not fit), node (everything else the daemon says), off (nobody answers). `rule`: the section of the
    rules that refuses, or empty.
    """

    def __init__(  # noqa: PLR0917 - the order of every error of ours
        self, code: str, what: str, hint: str = "", family: str = "node", status: int = 0, rule: str = ""
    ) -> None:
        super().__init__(f"{what}; {hint}" if hint else what)
        self.code = code
        self.what = what
        self.hint = hint
        self.family = family
        self.status = status
        self.rule = rule


class NodeNotRunning(ApiError):
    """Nobody answers at the socket of this data folder."""
