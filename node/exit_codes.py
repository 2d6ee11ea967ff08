"""What `mutua` answers to the shell, and which error gives which code.

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | a fault of the program or the machine |
| 2 | usage: the command, a file or a setting is wrong |
| 3 | the node is not running |
| 4 | locked: the passphrase is missing or wrong |
| 5 | refused by a rule of the co-op |
| 6 | a finding: something is wrong with the ledger, a proof or the set-up |
"""

from __future__ import annotations

from ledger.errors import LedgerCorrupt, MutuaError, RuleBroken
from node.api.errors import ApiError

OK = 0
FAULT = 1
USAGE = 2
NODE_OFF = 3
LOCKED = 4
REFUSED = 5
FINDING = 6
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

LOCKED_CODES = frozenset({"locked", "wrong_passphrase", "passphrase_missing", "passphrase_empty", "keyfile_memory"})
FAULT_CODES = frozenset({"internal", "node_silent", "answer_shape", "disk", "disk_full"})


def exit_code_of(error: MutuaError | ApiError) -> int:
    """Return the exit code of an error, found here or told by the daemon.

    >>> exit_code_of(RuleBroken("vote_closed", "claim 7f3a closed on day 212"))
    5
    >>> exit_code_of(MutuaError("locked", "locked"))
    4
    """
    if error.code in LOCKED_CODES:
        return LOCKED
    if error.code in FAULT_CODES:
        return FAULT
    if isinstance(error, ApiError):
        return {"off": NODE_OFF, "rule": REFUSED}.get(error.family, USAGE)
    if isinstance(error, RuleBroken):
        return REFUSED
    return FINDING if isinstance(error, LedgerCorrupt) else USAGE
