"""`mutua rehearse FILE`: play a scenario through the real rules and print what happens, one JSON object a line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

EXIT_OK = 0
EXIT_USAGE = 2
PROGRESS_EVENTS = 10_000


def rehearse(file: Path) -> int:
    """Play the scenario FILE (`-`: standard input); no network, no clock, no keys.

    A file that does not parse plays nothing: the line, the field and the expected shape go to standard error, exit code 2.
    """
    from governance.simulation.rehearse import line_of, play
    from governance.simulation.scenario import ScenarioError, parse

    try:
        text = (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode("utf-8")
    except OSError as error:
        print(f"mutua: {file} cannot be read: {error.strerror}; name a scenario file", file=sys.stderr)
        return EXIT_USAGE
    except UnicodeDecodeError:
        print(f"mutua: {file} is not UTF-8; save it as UTF-8", file=sys.stderr)
        return EXIT_USAGE
    is_watched = sys.stderr.isatty() and not sys.stdout.isatty()
    out = sys.stdout.buffer
    try:
        for count, event in enumerate(play(parse(text.split("\n"))), 1):
            out.write(line_of(event).encode("utf-8") + b"\n")
            if is_watched and count % PROGRESS_EVENTS == 0:
                print(f"block {event['height']}, {count} events", file=sys.stderr)
        out.flush()
    except ScenarioError as error:
        print(f"mutua: {error.what}; {error.mend}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        # the reader, such as `head`, has seen enough; nothing of ours is lost
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_OK
