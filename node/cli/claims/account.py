"""What became of the claims of an import: every claim is in one of the lists, in the order of the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from tempfile import SpooledTemporaryFile
from typing import Any, TextIO

from node.api.text import counted
from node.api.views.actions import Refusal

MEMORY_MAX = 1024 * 1024
"""Of one list: beyond, it goes on in a temporary file without a name, for a file may hold a million claims."""

Json = dict[str, Any]


class Items:
    """A list of JSON values, to be filled and then read from its beginning."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(MEMORY_MAX, "w+", encoding="ascii")  # noqa: SIM115
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return map(json.loads, self.lines())

    def append(self, item: Any) -> None:
        """Add a value at the end."""
        self._file.write(json.dumps(item) + "\n")
        self._count += 1

    def lines(self) -> Iterator[str]:
        """Yield each value as JSON."""
        self._file.seek(0)
        for line in self._file:
            yield line[:-1]


@dataclass(slots=True)
class Account:
    """The lists, by their names in the answer of `--json`."""

    submitted: Items = field(default_factory=Items)
    """By this run, with their record ids."""
    stood: Items = field(default_factory=Items)
    """On the ledger before, with the claims that hold them."""
    waiting: Items = field(default_factory=Items)
    """Submitted before, and waiting on this node for a block."""
    refused: Items = field(default_factory=Items)
    """By a rule, with the reason."""
    unsent: Items = field(default_factory=Items)
    unsure: Items = field(default_factory=Items)
    """On their way when the node failed or fell silent: the next run finds out."""

    def note_standing(self, resource: str, refusal: Refusal) -> str:
        """Note a claim that stands already; return a line that says so."""
        place: Json = {"resource": resource, "claim": refusal.claim}
        if refusal.height:
            self.stood.append({**place, "height": refusal.height})
            return f"{resource} is on the ledger already, as claim {refusal.claim} in block {refusal.height}"
        self.waiting.append(place)
        return f"{resource} waits on this node already, as claim {refusal.claim}"

    def words(self, total: int) -> str:
        """Return the account in one line."""
        rest = {
            "on the ledger before": self.stood,
            "waiting on this node since an earlier run": self.waiting,
            "refused": self.refused,
            "not yet sent": self.unsent,
            "on their way when the node failed": self.unsure,
        }
        parts = [f"{len(items)} {what}" for what, items in rest.items() if items]
        return "; ".join([f"submitted {len(self.submitted)} of {counted(total, 'claim')}", *parts])

    def write(self, out: TextIO, before: Json, after: Json) -> None:
        """Write the lists, between other members, as one JSON object; item by item."""
        out.write(json.dumps(before)[:-1])
        for name in (item.name for item in fields(self)):
            out.write(f', "{name}": [')
            out.writelines(f", {line}" if number else line for number, line in enumerate(getattr(self, name).lines()))
            out.write("]")
        print(f", {json.dumps(after)[1:]}", file=out, flush=True)
