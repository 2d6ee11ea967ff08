"""Logs are events with fields: JSON lines in log.jsonl, and a readable or JSON copy on standard error.

The level is that of the standard library's root logger, so that one call changes both, live. A field whose name
says that it is secret is masked before it is written anywhere; a full disk costs log lines and never the node. A peer
writes only so many lines a minute: what is of its making names it, and the rest is counted.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import structlog

LOG_SIZE_MAX = 32 * 1024 * 1024
"""One file and the one before it: about a quarter of a million events."""
SECRET_WORDS = ("seed", "secret", "passphrase", "password", "words", "private", "mnemonic", "diagnos")
PEER_FIELDS = ("peer", "signer", "library")
"""A line with one of these fields is of a peer's making. Those who are nobody here share the name `stranger`."""
PEER_LINES_MAX = 5
"""Lines of one event for each peer in `PEER_LINES_EVERY_S`; then one line says how many more there were."""
PEER_LINES_EVERY_S = 60.0
PEER_WINDOWS_MAX = 1_000
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Event = MutableMapping[str, Any]


class LogFile:
    """A file of lines that moves aside when it is full. A disk that takes nothing loses lines, counted in `lost`."""

    def __init__(self, path: Path, size_max: int = LOG_SIZE_MAX) -> None:
        self._path = path
        self._size_max = size_max
        self._stream = _opened(path)
        self.lost = 0

    def write(self, line: str) -> None:
        """Append one line."""
        try:
            if self._stream.tell() > self._size_max:
                self._stream.close()
                self._path.replace(self._path.with_name(self._path.name + ".1"))
                self._stream = _opened(self._path)
            self._stream.write(line + "\n")
        except (OSError, ValueError):
            self.lost += 1

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


@dataclass(slots=True)
class _Window:
    """The lines of one event that a peer caused since `began`."""

    began: float
    lines: int = 0


class PeerLines:
    """What peers may write: bounded for each peer and event. Several threads log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        """By (peer, event), the oldest first."""
        self._told: list[Event] = []

    def let_pass(self, _logger: object, _method: str, event: Event) -> Event:
        """Return a line, or drop it where its peer wrote too many like it."""
        peer = next((str(event[name]) for name in PEER_FIELDS if name in event), None)
        if peer is None:
            return event
        key = peer, str(event["event"])
        with self._lock:
            self._end_windows()
            window = self._windows.setdefault(key, _Window(self._clock()))
            window.lines += 1
            if window.lines > PEER_LINES_MAX:
                raise structlog.DropEvent
        return event

    def suppressed(self) -> list[Event]:
        """Return a line for each peer and event whose minute ended with more lines than were written."""
        with self._lock:
            self._end_windows()
            told, self._told = self._told, []
        return told

    def _end_windows(self) -> None:
        now = self._clock()
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if now - window.began < PEER_LINES_EVERY_S and len(self._windows) < PEER_WINDOWS_MAX:
                return
            del self._windows[key]
            if window.lines > PEER_LINES_MAX:
                more = window.lines - PEER_LINES_MAX
                self._told.append({"event": "peer_lines_suppressed", "peer": key[0], "of": key[1], "more": more})


def _opened(path: Path) -> TextIO:
    return path.open("a", encoding="utf-8", buffering=1)


def set_up_logs(folder: Path, level: str = "info", form: str = "console", stream: TextIO | None = None) -> LogFile:
    """Send events to log.jsonl in `folder` and, unless `form` is quiet, to `stream` (standard error)."""
    file = LogFile(folder / "log.jsonl")
    console = None if form == "quiet" else _console(form, stream or sys.stderr)
    lines = PeerLines()
    sink = _Sink(file, console, lines)
    root = logging.getLogger()
    root.setLevel(LEVELS[level])
    root.handlers = [_LibraryHandler()]
    logging.getLogger("libp2p").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            _drop_below_level,
            lines.let_pass,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_secrets,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=lambda *names: _Named(sink, str(names[0]) if names else "mutua"),
        cache_logger_on_first_use=False,
    )
    return file


def _drop_below_level(_logger: object, method: str, event: Event) -> Event:
    if LEVELS.get(method, logging.ERROR) < logging.getLogger().level:
        raise structlog.DropEvent
    return event


def mask_secrets(_logger: object, _method: str, event: Event) -> Event:
    """Replace the value of every field whose name says that it is secret."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = "masked"
    return event


class _Sink:
    """Where finished events go; several threads log."""

    def __init__(self, file: LogFile, console: Callable[[Event], None] | None, lines: PeerLines) -> None:
        self._file = file
        self._console = console
        self._lines = lines
        self._lock = threading.Lock()

    def take(self, event: Event) -> None:
        when = {name: event[name] for name in ("timestamp",) if name in event}
        for told in self._lines.suppressed():
            self._write({"logger": "mutua.logs", **told, "level": "warning", **when})
        self._write(event)

    def _write(self, event: Event) -> None:
        line = str(structlog.processors.JSONRenderer()(None, "", event))
        with self._lock:
            self._file.write(line)
            if self._console is not None:
                try:
                    self._console(event)
                except (OSError, ValueError):
                    self._console = None  # the terminal is gone; the file goes on


class _Named:
    """What structlog calls with the fields of a finished event."""

    def __init__(self, sink: _Sink, name: str) -> None:
        self._sink = sink
        self._name = name

    def _take(self, **event: Any) -> None:
        self._sink.take({"logger": self._name, **event})

    debug = info = warning = error = exception = critical = msg = _take


def _console(form: str, stream: TextIO) -> Callable[[Event], None]:
    if form == "json":
        render = structlog.processors.JSONRenderer()
    else:
        plain = structlog.dev.plain_traceback
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)
    return lambda event: print(str(render(None, "", dict(event))), file=stream, flush=True)


class _LibraryHandler(logging.Handler):
    """Carries warnings of libraries into the same log."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            method = "error" if record.levelno >= logging.ERROR else "warning"
            getattr(structlog.get_logger(record.name), method)(
                "library_message", message=record.getMessage()[:2000], library=record.name
            )
