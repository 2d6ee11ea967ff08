"""The play: it starts processes, files the story's records through the members' own APIs, and watches the blocks."""

from __future__ import annotations

import io
import json
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from consensus import votelog
from consensus.messages import CellKind
from ledger.chain import Chain
from ledger.errors import MutuaError
from ledger.leveldb import opened_aside
from ledger.signatures import public_key_of
from node.api.actions import store_document
from node.api.bodies import body_to_json
from node.api.errors import ApiError
from node.bridges.fhir.values import HCPCS_SYSTEM, ImportMapping
from node.cli.claims.importing import import_file, provider_attester
from node.sandbox.demo.story import BLOCKS, DENIER, FOLLOWER_BLOCK, KILL_FROM, KILLED, REFILE_FROM, Story, VotedClaim
from node.sandbox.devnet import Devnet, Node
from node.sandbox.synthea import write_ndjson

POLL_S = 0.05
STALLED_S = 60.0
KILL_TRIES = 12
KILL_PATIENCE_S = 6.0

Tell = Callable[[str, str], None]
"""(kind, line): what the screen shows."""


class Play:
    """One run of the story on a devnet whose nodes answer."""

    def __init__(
        self, devnet: Devnet, story: Story, tell: Tell, on_block: Callable[[int, dict[str, Any]], None]
    ) -> None:
        assert devnet.charter is not None
        self._net = devnet
        self._story = story
        self._tell = tell
        self._on_block = on_block
        self._clients = {node.name: node.client() for node in devnet.nodes}
        self._pool = ThreadPoolExecutor(max_workers=len(devnet.nodes))
        self._seeds = {public_key_of(seed): seed for seed in devnet.providers.values()}
        self._claims: dict[str, bytes] = {}
        self._voted_on: set[str] = set()
        self._silent: set[str] = set()
        """Claims that only two members vote on, so that they lapse."""
        self._refiled = False
        self.killed: dict[str, Any] = {}

    def run(self) -> None:
        """Play until the last block is final on the first node. MutuaError `demo_stalled` when blocks stop coming."""
        height, seen_at = 0, time.monotonic()
        self._before(1)
        while height < BLOCKS:
            status = self._ask(0, "/v1/status")
            if status["height"] == height:
                if time.monotonic() - seen_at > STALLED_S:
                    what = f"no block after {height} for {STALLED_S:.0f} s"
                    raise MutuaError("demo_stalled", what, f"see the logs in {self._net.folder}")
                time.sleep(POLL_S)
                continue
            for final in range(height + 1, status["height"] + 1):
                self._on_block(final, self._ask(0, f"/v1/blocks/{final}"))
                self._after(final)
            height, seen_at = status["height"], time.monotonic()
        self._pool.shutdown()

    # ---- What is done for the next block -------------------------------------------

    def _after(self, height: int) -> None:
        self._before(height + 1)
        if height == KILL_FROM:
            self._kill()
        if height == FOLLOWER_BLOCK:
            self._start_follower()

    def _before(self, block: int) -> None:
        """File the story's claims of `block`, and vote on the cases of the block before."""
        story = self._story
        jobs: list[Callable[[], None]] = [partial(self._file, claim) for claim in story.voted if claim.block == block]
        if story.lapsing.block == block:
            self._silent.add(story.lapsing.label)
            jobs.append(partial(self._file, story.lapsing))
        if story.denier.block == block:
            jobs.append(partial(self._file, story.denier))
        if block >= REFILE_FROM and not self._refiled:
            self._refiled = True
            self._silent.discard(story.lapsing.label)
            self._voted_on.discard(story.lapsing.label)
            jobs.append(partial(self._file, story.lapsing, again=True))
        jobs += [partial(self._import, block, *item) for item in story.imports.get(block, {}).items()]
        self._do(jobs)
        self._vote()

    def _do(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Do jobs side by side and wait for all."""
        for future in [self._pool.submit(job) for job in jobs]:
            future.result()

    def _vote(self) -> None:
        """Let every member vote on every new open case."""
        try:
            cases = [case for case in self._ask(0, "/v1/views/claims") if case["status"] == "open"]
        except ApiError:
            return
        is_open = {case["claim"] for case in cases}
        jobs: list[Callable[[], None]] = []
        for claim in (*self._story.voted, self._story.lapsing, self._story.denier):
            filed = self._claims.get(claim.label)
            if filed is None or filed.hex() not in is_open or claim.label in self._voted_on:
                continue
            self._voted_on.add(claim.label)
            voters = [index for index in range(len(self._net.nodes)) if index != claim.member]
            for voter in voters[:2] if claim.label in self._silent else voters:
                denies = voter == DENIER or (claim.member == DENIER and voter == 0)
                jobs.append(partial(self._ballot, voter, claim, "deny" if denies else "accept"))
        self._do(jobs)

    # ---- Records ---------------------------------------------------------------------

    def _file(self, claim: VotedClaim, *, again: bool = False) -> None:
        """File a claim from its member's node, attested by its provider; the voters' nodes get the document."""
        status = self._ask(claim.member, "/v1/status")
        digest = b""
        for node in self._net.nodes:
            digest = store_document(node.folder / "documents", claim.document)
        seed = self._net.providers[claim.provider]
        line: dict[str, Any] = {"system": HCPCS_SYSTEM, "code": claim.code, "modifiers": [], "units": 1}
        line |= {"charge_cents": claim.charge_cents, "first_day": claim.block, "last_day": claim.block}
        body: dict[str, Any] = {
            "scheme": status["name"],
            "cover_id": status["cover"],
            "submitter_role": "member",
            "payee": "member",
            "provider_id": public_key_of(seed).hex(),
            "event_id": "",
            "use": "claim",
            "supersedes": "",
            "other_payer_cents": 0,
            "source_hash": "",
            "evidence": [{"hash": digest.hex(), "size_bytes": len(claim.document), "media": "application/fhir+json"}],
            "lines": [line],
        }
        attester = provider_attester(self._seeds, bytes.fromhex(status["chain_id"]))
        body["attestations"] = [body_to_json(item) for item in attester(body)]
        answer = self._post(claim.member, "/v1/submit", {"kind": "claim.file", "body": body})
        self._claims[claim.label] = bytes.fromhex(answer["record_id"])
        words = f"{self._net.nodes[claim.member].name} files {claim.code} for {claim.charge_cents / 100:.2f}"
        self._tell("claim", words + (" again, after it lapsed" if again else ""))

    def _ballot(self, voter: int, claim: VotedClaim, choice: str) -> None:
        view = self._ask(voter, "/v1/views/claim", id=self._claims[claim.label].hex())
        body = {
            "claim": self._claims[claim.label].hex(),
            "code": claim.code,
            "choice": choice,
            "award_cents": None,
            "reason": "necessary" if choice == "accept" else "not convinced",
            "evidence_version": int(view["evidence_version"]),
            "opened": view["evidence"][0]["hash"],
        }
        self._post(voter, "/v1/submit", {"kind": "case.ballot", "body": body})

    def _import(self, block: int, member: int, visits: Sequence[dict[str, Any]]) -> None:
        """Import a FHIR file through the member's node, just as `mutua claim import` does."""
        node = self._net.nodes[member]
        path = write_ndjson(visits, node.folder / "documents" / f"visits-{block}.ndjson")
        out, err = io.StringIO(), io.StringIO()
        chain_id = bytes.fromhex(self._ask(member, "/v1/status")["chain_id"])
        mapping, attester = ImportMapping(patient=f"Patient/{node.name}"), provider_attester(self._seeds, chain_id)
        how: dict[str, Any] = {
            "json": True,
            "progress": False,
            "mapping": mapping,
            "attester": attester,
            "out": out,
            "err": err,
        }
        if import_file(path, self._clients[node.name], **how):
            what = f"{node.name} could not import {path.name}: {err.getvalue().strip()}"
            raise MutuaError("demo_import", what, "see the importer's reasons")
        self._tell("import", f"{node.name} imports {len(json.loads(out.getvalue())['submitted'])} visits")

    # ---- Mishaps ---------------------------------------------------------------------

    def _kill(self) -> None:
        """SIGKILL a daemon once its vote log holds NOTARIZE(h) while its ledger ends at h-1; then start it again."""
        node = self._net.nodes[KILLED]
        for _ in range(KILL_TRIES):
            height = self._kill_while_voting(node)
            tip = _tip_of(node)
            if height is not None and tip == height - 1:
                self.killed = {"node": node.name, "height": height, "tip": tip}
                logs = f"NOTARIZE({height}) in its vote log and its ledger at {tip}"
                self._tell("kill", f"{node.name} is killed with {logs}; it starts again")
            self._net.start_node(node)
            self._net.wait_ready([node])
            if self.killed:
                return

    def _kill_while_voting(self, node: Node) -> int | None:
        path, tip = node.folder / "votes.log", node.client().get_json("/v1/status")["height"]
        deadline = time.monotonic() + KILL_PATIENCE_S
        assert node.process is not None
        while not (is_voting := _newest_vote(path) > tip) and time.monotonic() < deadline:
            time.sleep(0.002)
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
        return _newest_vote(path) if is_voting else None

    def _start_follower(self) -> None:
        for node in self._net.followers:
            self._net.give_charter(node)
            self._net.start_node(node)
            self._tell("follower", f"{node.name} starts with an empty ledger and syncs from genesis")

    # ---- Helpers ------------------------------------------------------------------------

    def _ask(self, member: int, path: str, **query: Any) -> Any:
        return self._retry(member, lambda client: client.get_json(path, **query))

    def _post(self, member: int, path: str, body: Any) -> Any:
        return self._retry(member, lambda client: client.post_json(path, body))

    def _retry(self, member: int, call: Callable[[Any], Any]) -> Any:
        """Call a member's daemon; wait while it is starting again."""
        node = self._net.nodes[member]
        deadline = time.monotonic() + STALLED_S
        while True:
            try:
                return call(self._clients[node.name])
            except ApiError as error:
                if error.code not in ("node_off", "node_not_running") or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
                self._clients[node.name] = node.client()


def _newest_vote(path: Path) -> int:
    """Return the highest height of a NOTARIZE in a vote log; 0 without one."""
    data = path.read_bytes()
    cells = votelog.scan(data, data[14:46]).cells
    return max((cell.height for cell in cells if cell.kind == CellKind.NOTARIZE), default=0)


def _tip_of(node: Node) -> int:
    with opened_aside(node.folder / "ledger") as store:
        return Chain.open(store).height
