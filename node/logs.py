"""Logs are events with fields: JSON lines in log.jsonl, and a readable or JSON copy on standard error.

The level is that of the standard library's root logger, so that one call changes both, live. A field whose name
says that it is secret is masked before it is written anywhere; a full disk costs log lines and never the node.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog

LOG_SIZE_MAX = 32 * 1024 * 1024
"""One file and the one before it: about a quarter of a million events."""
SECRET_WORDS = ("seed", "secret", "passphrase", "password", "words", "private", "mnemonic", "diagnos")
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


def _opened(path: Path) -> TextIO:
    return path.open("a", encoding="utf-8", buffering=1)


def set_up_logs(folder: Path, level: str = "info", form: str = "console", stream: TextIO | None = None) -> LogFile:
    """Send events to log.jsonl in `folder` and, unless `form` is quiet, to `stream` (standard error)."""
    file = LogFile(folder / "log.jsonl")
    console = None if form == "quiet" else _console(form, stream or sys.stderr)
    sink = _Sink(file, console)
    root = logging.getLogger()
    root.setLevel(LEVELS[level])
    root.handlers = [_LibraryHandler()]
    logging.getLogger("libp2p").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            _drop_below_level,
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

    def __init__(self, file: LogFile, console: Callable[[Event], None] | None) -> None:
        self._file = file
        self._console = console
        self._lock = threading.Lock()

    def take(self, event: Event) -> None:
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
            getattr(structlog.get_logger(record.name), method)("library_message", message=record.getMessage()[:2000])
