"""A vote from end to end: seven real daemons, the real screen in tmux, keys pressed as a member presses them.

Member 1 files a claim that needs a vote; member 2 finds it on the screen, opens the document, accepts, signs, and sees
the receipt become final. What the screen claims is then read back from member 2's own node.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

TMUX = shutil.which("tmux")
SYSTEM = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NOTE = b"Visit note: synthetic, nothing here is a person's.\n"
WAIT_S = 20.0

pytestmark = [
    pytest.mark.skipif(
        TMUX is None, reason="tmux is missing; install it to press keys in a real terminal: apt-get install tmux"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("pbk") is None, reason="the regtest engine is missing: pip install 'mutua[demo]'"
    ),
]


class Terminal:
    """A program in a tmux of its own, 100 by 34."""

    def __init__(self, name, command):
        self._base = [TMUX, "-u", "-L", name, "-f", "/dev/null"]
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        for name_of in ("NO_COLOR", "COLUMNS", "LINES"):  # the size is that of the terminal made here
            environment.pop(name_of, None)
        subprocess.run(
            [*self._base, "new-session", "-d", "-x", "100", "-y", "34", *command],
            check=True,
            env=environment,
            timeout=10,
        )

    def screen(self):
        found = subprocess.run(
            [*self._base, "capture-pane", "-p"], check=False, capture_output=True, text=True, timeout=10
        )
        return found.stdout if found.returncode == 0 else ""

    def press(self, *keys):
        subprocess.run([*self._base, "send-keys", *keys], check=True, timeout=10)

    def wait(self, *words, timeout_s=WAIT_S):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            shown = self.screen()
            if all(word in shown for word in words):
                return shown
            time.sleep(0.1)
        raise AssertionError(f"the screen never showed {words}; it shows:\n{self.screen()}")

    def is_open(self):
        return (
            subprocess.run([*self._base, "has-session"], check=False, capture_output=True, timeout=10).returncode == 0
        )

    def close(self):
        subprocess.run([*self._base, "kill-server"], check=False, capture_output=True, timeout=10)


def file_voted_claim(devnet, node, cents):
    """File one claim of one code that needs a vote, attested by the clinic; every node holds the document."""
    from governance.filing.claims import ClaimBody, claim_subject_hash
    from ledger.records import attest
    from ledger.signatures import public_key_of
    from node.api.actions import store_document
    from node.api.bodies import body_from_json, body_to_json

    digest = [store_document(item.folder / "documents", NOTE) for item in devnet.nodes][0]
    client = node.client()
    status = client.status()
    seed = devnet.providers["demo-clinic"]
    body = {
        "scheme": status.name,
        "cover_id": status.cover,
        "submitter_role": "member",
        "payee": "member",
        "provider_id": public_key_of(seed).hex(),
        "event_id": "",
        "use": "claim",
        "supersedes": "",
        "other_payer_cents": 0,
        "source_hash": "",
        "evidence": [{"hash": digest.hex(), "size_bytes": len(NOTE), "media": "text/plain"}],
        "lines": [
            {
                "system": SYSTEM,
                "code": "A9999",
                "modifiers": [],
                "units": 1,
                "charge_cents": cents,
                "first_day": 1,
                "last_day": 1,
            }
        ],
    }
    subject = claim_subject_hash(body_from_json(ClaimBody, {**body, "payout_commitment": ""}))
    attestation = body_to_json(attest(seed, bytes.fromhex(status.chain_id), "provider", subject))
    return client.submit("claim.file", body, [attestation]).record_id, digest.hex()


def wait_until(is_so, timeout_s=WAIT_S):
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_a_member_votes_by_keys_and_the_ballot_is_final_on_the_ledger():
    from node.sandbox.devnet import Devnet, Spec

    folder = (
        Path("/tmp") / f"mutua-tui-{os.getpid()}"
    )  # a socket's path has at most 103 bytes; pytest's folders may be longer
    shutil.rmtree(folder, ignore_errors=True)
    devnet = Devnet(folder, Spec(seed=11, interval_ms=1500, start_in_s=5))
    terminal = None
    try:
        devnet.make()
        for node in devnet.nodes:
            devnet.start_node(node)
        devnet.wait_ready(devnet.nodes)
        claimant, voter = devnet.nodes[0], devnet.nodes[1]
        wait_until(lambda: claimant.client().status().height >= 1)
        code = "import sys, tui.app; from pathlib import Path; sys.exit(tui.app.main(*map(Path, sys.argv[1:])))"
        terminal = Terminal(folder.name, [sys.executable, "-c", code, str(voter.socket), str(voter.folder)])
        terminal.wait("Nothing needs you now", "Demo Mutual")
        claim, digest = file_voted_claim(devnet, claimant, 42_000)
        terminal.wait("1 case waits for your ballot", "A9999", "420.00 USD")

        terminal.press("Enter")
        terminal.wait("What is asked?", "demo-clinic", "none decided yet")
        terminal.press("o")
        terminal.wait("Visit note: synthetic")
        terminal.press("Escape")
        terminal.wait("✓ opened")
        terminal.press("v")
        terminal.wait("How do you vote?")
        terminal.press("a")
        terminal.wait("(●)", "▸ Award")
        terminal.press("Enter")
        terminal.wait("▸ Reason")
        terminal.press("-l", "looks right")
        terminal.wait("looks right")
        terminal.press("Enter")
        terminal.wait("Is this what you mean?", claim, digest, "looks right")
        terminal.press("s")
        shown = terminal.wait("What happened to your ballot", "final in block", "counted")

        kept = json.loads((voter.folder / "tui.json").read_text())["receipts"][0]
        assert kept["record_id"] in shown
        api = voter.client()
        receipt = api.record(kept["record_id"])
        assert (receipt.state, receipt.kind, receipt.height) == ("final", "case.ballot", kept["final_height"])
        from node.api.views.claims import CLAIM

        case = api.view(CLAIM, id=claim).cases[0]
        mine = [item for item in case.ballots if item.voter == api.status().member]
        assert [(item.choice, item.reason) for item in mine] == [("accept", "looks right")]
        assert (case.yes, case.opened) == (1, 1)

        terminal.press("Escape")
        terminal.wait("Nothing needs you now", "you: accept")
        terminal.press("q")
        wait_until(lambda: not terminal.is_open(), 5.0)
    finally:
        if terminal is not None:
            terminal.close()
        devnet.stop()
        shutil.rmtree(folder, ignore_errors=True)
