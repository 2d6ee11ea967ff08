"""A process that does not outlive whoever started it, on any system and whatever ended the parent.

The parent holds the other end of the child's standard input. When that ends the parent is gone, and the child is asked
to end too. A byte says instead that the child may stay.
"""

from __future__ import annotations

import os
import signal
import time
from threading import Thread

STAY = b"."
GRACE_S = 20.0
"""Longer than a daemon needs to end in order."""


def end_with_parent() -> None:
    """Watch standard input from now on."""
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    if os.read(0, 1) != STAY:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(1)
