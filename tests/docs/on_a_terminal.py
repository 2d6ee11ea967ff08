"""Run a command on a terminal of its own, type when words appear: `on_a_terminal.py WORDS KEYS COMMAND…`.

Nothing is printed; the exit code is the command's, or 70 where the words never came.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios


def main(words: str, keys: str, *command: str) -> int:
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, os.environ | {"TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown, has_typed = b"", False
    while part := read(terminal):
        shown += part
        if not has_typed and words.encode() in shown:
            os.write(terminal, keys.encode())
            has_typed = True
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if has_typed else 70


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux: the command has ended
        return b""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
