"""What holds for every file that a person names or that the program writes, and for text that others put into it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import unicodedata

import pytest
import structlog

from node import daemon
from node.api.actions import store_document
from node.cli.common import print_json
from node.cli.unlocking import PassphraseFrom
from node.config import load_config
from node.paths import write_whole
from node.reading import read_seed
from node.run import read_passphrase
from node.sandbox.devnet import seed_of as seed_named
from tui.memory import KeptReceipt, Memory
from wallet.mnemonic import words_of

MARK = b"\xef\xbb\xbf"
SEED = seed_named(1, "a file")


@pytest.fixture
def never_waits():
    """Fails a test that waits for a file to end."""

    def fail(*_):
        raise AssertionError("it waits for ever")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# ---- Read ----------------------------------------------------------------------------


def restored(call, path):
    """The member whose words are in a file."""
    secret = path.with_name("secret")
    secret.write_text("four random words here\n")
    done = call("init", "-d", path.with_name("data"), "--words-file", path, "--passphrase-file", secret, "--json")
    return json.loads(done.out)["member"]


def drafted(call, path):
    return json.loads(call("charter", "show", path, "--json").out)["name"]


def rehearsed(call, path):
    done = call("rehearse", path)
    assert done.code == 0, done.err
    return done.out


SCENARIO = b"""\
{"do":"genesis","phase":"pilot","members":[{"name":"ann","plan":"basic"}],"all_events":true,\
"plans":[{"name":"basic","premium_cents":9}]}
{"at":1,"do":"advance","to":3}
"""
READERS = {
    "settings": (b'log_level = "debug"\n', lambda _, path: load_config(path.parent).text("log_level")),
    "seed": (SEED.hex().encode() + b"\n", lambda _, path: read_seed(path)),
    "passphrase": (b"four random words\n", lambda _, path: PassphraseFrom(passphrase_file=path).read()),
    "passphrase of a daemon": (b"four random words\n", lambda _, path: read_passphrase(path, None)),
    "words": (" ".join(words_of(SEED)).encode(), restored),
    "charter": (None, drafted),
    "scenario": (
        SCENARIO,
        rehearsed,
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_says_nothing(call, tmp_path, name):
    content, read = READERS[name]
    found = []
    for folder, mark in (("without", b""), ("with", MARK)):
        path = tmp_path / folder / "config.toml"
        path.parent.mkdir()
        if content is None:
            assert call("charter", "new", path, "--name", "Marked").code == 0
            path.write_bytes(mark + path.read_bytes())
        else:
            path.write_bytes(mark + content)
        found.append(read(call, path))
    assert found[0] == found[1]
    assert found[0]


PIPED = [
    ("evidence", "add"),
    ("charter", "show"),
    ("audit", "check"),
    ("bundle", "show"),
    ("rehearse",),
    ("claim", "import"),
    ("claim", "attest", "--seed-file", os.devnull),
]


@pytest.mark.parametrize("command", PIPED, ids=" ".join)
@pytest.mark.usefixtures("never_waits")
def test_a_pipe_is_not_waited_for(call, tmp_path, command):
    os.mkfifo(tmp_path / "pipe")
    done = call(*command, tmp_path / "pipe")
    assert (done.code, done.out) == (2, "")
    assert "is not a regular file" in done.err


def test_a_secret_may_come_through_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["/bin/sh", "-c", f"printf 'a secret\\n' > {tmp_path}/pipe"]):
        assert PassphraseFrom(passphrase_file=tmp_path / "pipe").read() == "a secret"


# ---- Written -------------------------------------------------------------------------


def test_what_somebody_put_beside_a_file_is_neither_written_nor_lends_its_mode(tmp_path, monkeypatch):
    keys, other = tmp_path / "keys.json", tmp_path / "other"
    other.write_bytes(b"theirs")
    other.chmod(0o644)
    (tmp_path / f"keys.json.{os.getpid()}.new").symlink_to(other)
    write_whole(keys, b"secret", 0o600)
    assert (keys.read_bytes(), keys.stat().st_mode & 0o777, keys.is_symlink()) == (b"secret", 0o600, False)
    monkeypatch.setattr(os, "urandom", bytes)  # as if the name had been guessed
    beside = tmp_path / f"keys.json.{os.getpid()}-00000000.new"
    for plant in (lambda: beside.symlink_to(other), beside.touch):
        plant()
        with pytest.raises(FileExistsError):
            write_whole(keys, b"newer", 0o600)
        assert beside.is_symlink() or beside.read_bytes() == b""
        beside.unlink()
    assert (other.read_bytes(), keys.read_bytes()) == (b"theirs", b"secret")


def test_what_the_screens_remember_and_evidence_are_for_their_owner_alone(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"theirs")
    memory = Memory(path=tmp_path / "tui.json")
    (tmp_path / f"tui.{os.getpid()}.part").symlink_to(other)
    memory.keep(KeptReceipt("aa", "bb", "G0101", "accept", 7))
    digest = store_document(tmp_path / "documents", b"a letter")
    kept = [memory.path, tmp_path / "documents" / digest.hex()]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600, 0o600]
    assert other.read_bytes() == b"theirs"


@pytest.mark.parametrize(("mode", "told"), [(0o700, 0), (0o755, 1), (0o770, 1)])
def test_a_node_warns_of_a_folder_that_others_can_read(tmp_path, monkeypatch, mode, told):
    monkeypatch.setattr(daemon.trio, "run", lambda *_: None)
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(mode)
    with structlog.testing.capture_logs() as lines:
        daemon.main(folder, None, daemon.Options())
    found = [line for line in lines if line["event"] == "open_to_others"]
    assert len(found) == told
    assert all(line["log_level"] == "warning" and line["hint"] == f"chmod 700 {folder}" for line in found)


# ---- Printed -------------------------------------------------------------------------


def test_json_says_everything_and_steers_no_terminal(capsys):
    steering = {"Cc", "Cf", "Zl", "Zp"}
    every = [chr(point) for point in range(0xE1000) if unicodedata.category(chr(point)) in steering]
    value = {"".join(every): ["é", "\ud800", *every]}
    print_json(value)
    shown = capsys.readouterr().out
    is_same = json.loads(shown) == value
    assert is_same
    assert not {unicodedata.category(letter) for letter in shown.replace("\n", "")} & {*steering, "Cs"}
    assert "é" in shown


def test_an_error_as_json_steers_no_terminal_either(call):
    done = call("charter", "show", "no\x9b2J\u202efile", "--json")
    assert done.code == 2
    assert "\\u009b2J\\u202efile" in done.err
    assert json.loads(done.err)["error"]["what"].startswith("no\x9b2J\u202efile")
