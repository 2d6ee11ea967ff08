"""`mutua rehearse FILE`: play a scenario through the real rules and print what happens, one JSON object a line."""

from __future__ import annotations

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
        if str(file) == "-":
            actions = parse(sys.stdin.buffer.read().decode("utf-8").split("\n"))
        else:
            actions = parse(file.read_bytes().decode("utf-8").split("\n"))
        is_watched = sys.stderr.isatty() and not sys.stdout.isatty()
        out = sys.stdout.buffer
        for count, event in enumerate(play(actions), 1):
            out.write(line_of(event).encode("utf-8") + b"\n")
            if is_watched and count % PROGRESS_EVENTS == 0:
                print(f"block {event['height']}, {count} events", file=sys.stderr)
        out.flush()
    except ScenarioError as error:
        print(f"mutua: {error.what}; {error.mend}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"mutua: {file} cannot be read: {error.strerror}; name a scenario file", file=sys.stderr)
        return EXIT_USAGE
    except UnicodeDecodeError:
        print(f"mutua: {file} is not UTF-8; save it as UTF-8", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK
