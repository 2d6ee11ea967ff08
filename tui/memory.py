"""What the terminal UI remembers between two runs: receipts, documents opened, theme, keys, the last screen.

One small JSON file in the data folder, written whole to a neighbour and moved into place, so it is never half a file.
It holds nothing that the ledger or the keys need: deleting it loses the list of receipts and nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

FILE_NAME = "tui.json"
RECEIPTS_MAX = 1_000
"""Above this the oldest are forgotten here; the ledger keeps the ballots."""
OPENED_MAX = 10_000
FILE_SIZE_MAX = 4 * 1024 * 1024


class KeptReceipt(msgspec.Struct, frozen=True):
    """A ballot sent from here: the record's id, what it said, and the last state seen."""

    record_id: str
    claim: str
    code: str
    choice: str
    sent_height: int
    state: str = "pending"
    final_height: int | None = None


class Remembered(msgspec.Struct):
    """The file's content. `keys`: binding ids to keys; `opened`: claim ids to the hash of the opened document."""

    receipts: list[KeptReceipt] = []
    opened: dict[str, str] = {}
    theme: str = ""
    screen: str = ""
    animations: bool = False
    keys: dict[str, str] = {}


class Memory(Remembered):
    """What is remembered, and where."""

    path: Path = Path(FILE_NAME)

    def keep(self, receipt: KeptReceipt) -> None:
        """Remember a new receipt, newest first."""
        self.receipts.insert(0, receipt)
        del self.receipts[RECEIPTS_MAX:]
        self.save()

    def note(self, record_id: str, state: str, height: int | None) -> None:
        """Remember a receipt's newest state."""
        for index, item in enumerate(self.receipts):
            if item.record_id == record_id and (item.state, item.final_height) != (state, height):
                self.receipts[index] = msgspec.structs.replace(item, state=state, final_height=height)
                self.save()

    def note_opened(self, claim: str, digest: str) -> None:
        """Remember that a claim's document was opened here."""
        self.opened[claim] = digest
        while len(self.opened) > OPENED_MAX:
            del self.opened[next(iter(self.opened))]
        self.save()

    def save(self) -> bool:
        """Write the file; False if the disk did not take it, which never stops a vote."""
        value = Remembered(**{name: getattr(self, name) for name in Remembered.__struct_fields__})
        aside = self.path.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}.part")
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
            aside.replace(self.path)
        except OSError:
            return False
        return True


def load_memory(folder: Path) -> Memory:
    """Return what is remembered in a data folder; an unreadable or misshapen file counts as none."""
    path = folder / FILE_NAME
    try:
        data = path.read_bytes() if path.stat().st_size <= FILE_SIZE_MAX else b"{}"
        found = msgspec.json.decode(data, type=Remembered)
    except (OSError, msgspec.MsgspecError, UnicodeError):
        found = Remembered()
    return Memory(**{name: getattr(found, name) for name in Remembered.__struct_fields__}, path=path)
