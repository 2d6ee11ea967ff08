"""What the terminal UI remembers between two runs: receipts, documents opened, theme, keys, the last screen.

One small JSON file in the data folder, written whole to a neighbour and moved into place, so it is never half a file.
It holds nothing that the ledger or the keys need: deleting it loses the list of receipts and nothing else.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

FILE_NAME = "tui.json"
RECEIPTS_MAX = 1_000
"""Above this the oldest are forgotten here; the ledger keeps the ballots."""
OPENED_MAX = 10_000
FILE_SIZE_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A ballot sent from here: the record's id, what it said, and the last state seen."""

    record_id: str
    claim: str
    code: str
    choice: str
    sent_height: int
    state: str = "pending"
    final_height: int | None = None


@dataclass(slots=True)
class Memory:
    """The file's content.

    `keys` maps binding ids to keys; `opened` maps claim ids to the hash of the opened document.
    """

    path: Path
    receipts: list[KeptReceipt] = field(default_factory=list[KeptReceipt])
    opened: dict[str, str] = field(default_factory=dict[str, str])
    theme: str = ""
    screen: str = ""
    animations: bool = False
    keys: dict[str, str] = field(default_factory=dict[str, str])

    def keep(self, receipt: KeptReceipt) -> None:
        """Remember a new receipt, newest first."""
        self.receipts.insert(0, receipt)
        del self.receipts[RECEIPTS_MAX:]
        self.save()

    def note(self, record_id: str, state: str, height: int | None) -> None:
        """Remember a receipt's newest state."""
        for index, item in enumerate(self.receipts):
            if item.record_id == record_id and (item.state, item.final_height) != (state, height):
                self.receipts[index] = replace(item, state=state, final_height=height)
                self.save()

    def note_opened(self, claim: str, digest: str) -> None:
        """Remember that a claim's document was opened here."""
        self.opened[claim] = digest
        while len(self.opened) > OPENED_MAX:
            del self.opened[next(iter(self.opened))]
        self.save()

    def save(self) -> bool:
        """Write the file; False if the disk did not take it, which never stops a vote."""
        value = {
            "receipts": [asdict(item) for item in self.receipts],
            "opened": self.opened,
            "theme": self.theme,
            "screen": self.screen,
            "animations": self.animations,
            "keys": self.keys,
        }
        aside = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            aside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
            aside.replace(self.path)
        except OSError:
            return False
        return True


def load_memory(folder: Path) -> Memory:
    """Return what is remembered in a data folder; an unreadable or misshapen file counts as none."""
    memory = Memory(folder / FILE_NAME)
    try:
        if memory.path.stat().st_size > FILE_SIZE_MAX:
            return memory
        value: Any = json.loads(memory.path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return memory
    if not isinstance(value, dict):
        return memory
    given = cast("dict[str, Any]", value)
    memory.receipts = [item for part in _list(given.get("receipts")) if (item := _receipt_of(part)) is not None]
    memory.opened = _texts(given.get("opened"))
    memory.keys = _texts(given.get("keys"))
    memory.theme, memory.screen = str(given.get("theme") or ""), str(given.get("screen") or "")
    memory.animations = given.get("animations") is True
    return memory


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _texts(value: object) -> dict[str, str]:
    items = cast("dict[Any, Any]", value).items() if isinstance(value, dict) else ()
    return {key: text for key, text in items if isinstance(key, str) and isinstance(text, str)}


def _receipt_of(part: object) -> KeptReceipt | None:
    if not isinstance(part, dict):
        return None
    try:
        receipt = KeptReceipt(**cast("dict[str, Any]", part))
    except TypeError:
        return None
    texts = (receipt.record_id, receipt.claim, receipt.code, receipt.choice, receipt.state)
    is_whole = all(isinstance(item, str) for item in texts) and isinstance(receipt.sent_height, int)  # type: ignore[reportUnnecessaryIsInstance]
    return receipt if is_whole else None
