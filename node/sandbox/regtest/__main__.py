"""`python -m node.sandbox.regtest --dir D --socket S [--mine-every-ms N]`: a regtest engine until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import trio

from ledger.errors import MutuaError
from node.parent import end_with_parent


def main(arguments: list[str] | None = None) -> int:
    """Run the engine; exit code 0 after a signal, 1 with one line on standard error otherwise."""
    words = "A bitcoin regtest engine on a Unix socket."
    parser = argparse.ArgumentParser(prog="python -m node.sandbox.regtest", description=words)
    parser.add_argument("--dir", type=Path, required=True, help="folder of the chain; made if missing")
    parser.add_argument("--socket", type=Path, required=True, help="path of the Unix socket")
    words = "milliseconds between blocks; default: blocks on request only"
    parser.add_argument("--mine-every-ms", type=int, default=None, help=words)
    parser.add_argument("--end-with-parent", action="store_true", help="end when standard input does")
    options = parser.parse_args(arguments)
    if options.end_with_parent:
        end_with_parent()
    if options.mine_every_ms is not None and options.mine_every_ms < 10:
        parser.error("--mine-every-ms is at least 10")
    from node.sandbox.regtest.server import run

    code = 0
    try:
        trio.run(run, options.dir, options.socket, options.mine_every_ms)
    except* (MutuaError, OSError) as group:
        code = 1
        fault: BaseException = group
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        print(f"mutua: {fault}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
