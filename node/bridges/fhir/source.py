"""The bytes of a FHIR file by their offsets: from memory, or from a file that stays open until nobody needs it."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from ledger.errors import MutuaError
from node.reading import open_regular


class Source:
    """Reads at any offset, and knows whether the file is still the one that was opened."""

    def __init__(self, source: bytes | Path) -> None:
        self._data = source if isinstance(source, bytes) else b""
        self._handle = -1
        if isinstance(source, Path):
            self._open(source)
            self._was = self._state()

    def read_at(self, offset: int, size: int) -> bytes:
        """Return the bytes there; fewer only at the end."""
        if self._handle < 0:
            return self._data[offset : offset + size]
        parts: list[bytes] = []
        while size and (part := os.pread(self._handle, size, offset)):
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)

    def check_unchanged(self) -> None:
        """Raise MutuaError unless the file is what it was when it was opened."""
        if self._handle >= 0 and self._state() != self._was:
            raise MutuaError("fhir_unreadable", "the file was changed while it was read", "run the command again")

    def _open(self, path: Path) -> None:
        hint = "check the name and its permissions, or save it to a file first"
        try:
            self._handle = open_regular(path)
        except OSError as error:
            raise MutuaError("fhir_unreadable", f"it cannot be read ({error.strerror})", hint) from None
        weakref.finalize(self, os.close, self._handle)

    def _state(self) -> tuple[int, int]:
        found = os.fstat(self._handle)
        return found.st_size, found.st_mtime_ns
