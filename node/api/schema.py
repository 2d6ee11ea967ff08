"""What the local API's answers look like to its clients. Kept apart from the server: the terminal UI and the CLI import no node."""

from __future__ import annotations


class ApiError(Exception):
    """An error of the API: stable code, what happened, how to mend it. Families: rule, malformed, node, off."""

    def __init__(self, code: str, what: str, mend: str = "", family: str = "node") -> None:
        super().__init__(f"{what}; {mend}" if mend else what)
        self.code = code
        self.what = what
        self.mend = mend
        self.family = family
