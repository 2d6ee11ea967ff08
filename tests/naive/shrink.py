"""A failing scenario made small.

Lines, members, parameters and figures go, one bunch after the other, while it still fails.
"""

import time


def shrunk(lines, fails, seconds=60):
    """The smallest scenario found in about so many seconds for which `fails` still says True; greedy, not perfect."""
    end = time.monotonic() + seconds

    def still(candidate):
        return time.monotonic() < end and bool(fails(candidate))

    before = None
    while before != lines and time.monotonic() < end:
        before = lines
        lines = without_bunches(lines, still)
        lines = with_less_genesis(lines, still)
    return lines


def without_bunches(lines, still):
    """Take out half of the lines at a time, then a quarter, and so on to single lines; the genesis stays."""
    size = max(1, (len(lines) - 1) // 2)
    while size:
        at = 1
        while at < len(lines):
            candidate = lines[:at] + lines[at + size :]
            if still(candidate):
                lines = candidate
            else:
                at += size
        size //= 2
    return lines


def with_less_genesis(lines, still):
    """Take single members, plans, codes and parameters out of the genesis, then fields of its objects."""
    for candidate in smaller_geneses(lines[0]):
        if still([candidate, *lines[1:]]):
            return [candidate, *lines[1:]]
    return lines


def smaller_geneses(genesis):
    for name in sorted(genesis.get("params", {})):
        yield {**genesis, "params": {other: value for other, value in genesis["params"].items() if other != name}}
    for field in ("members", "codes", "plans"):
        objects = genesis.get(field, [])
        for index, found in enumerate(objects):
            yield {**genesis, field: objects[:index] + objects[index + 1 :]}
            for name in found:
                if name not in ("name", "plan", "code"):
                    fewer = {other: value for other, value in found.items() if other != name}
                    yield {**genesis, field: [*objects[:index], fewer, *objects[index + 1 :]]}
