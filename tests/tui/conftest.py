"""A node that is not there: the answers of a small co-op, always the same, behind the methods of the API's client."""

import asyncio
import copy
import json

import pytest

from node.api.errors import ApiError, NodeNotRunning
from node.api.views.actions import Opened, Submitted
from node.api.views.base import read
from node.api.views.chain import Block, BlockHead, Receipt
from node.api.views.node import Status
from tui.app import MutuaApp

ME, COVER, OTHER = "a1" * 32, "c0" * 32, "b2" * 32
CLINIC, LAB = "d1" * 32, "d2" * 32
DOCUMENT = "e5" * 32
VOTED, OLD, PLAIN, MINE = "11" * 32, "22" * 32, "33" * 32, "44" * 32
BALLOT, OPENED = "9a" * 32, "9b" * 32
TXID = "7f" * 32


def case(claim, code, charges, **fields):
    return {
        "claim": claim,
        "use": "claim",
        "code": code,
        "system": "hcpcs",
        "status": "open",
        "how": "",
        "s": 100,
        "opens_at": fields.get("s", 100) + 1,
        "closes_at": 160,
        "is_second": False,
        "charges_cents": charges,
        "eligible": 6,
        "bar_bp": 7500,
        "seniority_bp": 0,
        "quorum": 5,
        "opened_needed": 3,
        "yes": 0,
        "no": 0,
        "abstain": 0,
        "opened": 0,
        "streak": 0,
        "streak_needed": 15,
        "award_cents": 0,
        "benefit_cents": 0,
        "closed_height": None,
        "panel": [],
        "ballots": [],
        "explanation": "seniority must never be shown here",
        **fields,
    }


def ballot(voter, choice, height, reason=""):
    return {
        "voter": voter,
        "choice": choice,
        "award_cents": None,
        "reason": reason,
        "version": 1,
        "height": height,
        "changed_version": 0,
        "rule_hash": "",
    }


def line(code, charge, **fields):
    return {
        "line": 0,
        "system": "hcpcs",
        "code": code,
        "modifiers": [],
        "units": 1,
        "charge_cents": charge,
        "first_day": 98,
        "last_day": 98,
        "is_standard": False,
        "status": "open",
        "plan": "",
        "units_paid": 0,
        "allowed_cents": 0,
        "deductible_cents": 0,
        "copay_cents": 0,
        "coinsurance_cents": 0,
        "relief_cents": 0,
        "cut_cents": 0,
        "benefit_cents": 0,
        "refusal": None,
        "authorised_by": "",
        "explanation": "",
        **fields,
    }


def claim(name, lines, cases=(), payouts=(), **fields):
    return {
        "claim": name,
        "cover_id": "ee" * 32,
        "provider_id": CLINIC,
        "height": 100,
        "use": "claim",
        "payee": "member",
        "charge_cents": sum(item["charge_cents"] for item in lines),
        "benefit_cents": 0,
        "status": "open",
        "codes": sorted({item["code"] for item in lines}),
        "source_hash": "",
        "evidence": [{"hash": DOCUMENT, "size_bytes": 51, "media": "text/plain"}],
        "evidence_version": 1,
        "other_payer_cents": 0,
        "payout_commitment": "",
        "lines": lines,
        "cases": list(cases),
        "estimates": [],
        "authorisations": [],
        "payouts": list(payouts),
        "explanation": [],
        **fields,
    }


def payout(name, claim_id, height, cents, sat, **fields):
    return {
        "payout_id": name,
        "payment_id": name,
        "claim": claim_id,
        "case": None,
        "payee": COVER,
        "rail": "bitcoin",
        "height": height,
        "amount_cents": cents,
        "amount_sat": sat,
        "left_sat": sat,
        "sent_sat": 0,
        "credit_sat": 0,
        "outputs": 0,
        "batches": [],
        "commitment": "",
        "status": "due",
        **fields,
    }


def world():
    """The co-op's answers at block 112."""
    settled = {
        "is_standard": True,
        "status": "settled",
        "plan": "basic",
        "units_paid": 1,
        "allowed_cents": 14000,
        "deductible_cents": 10000,
        "copay_cents": 1500,
        "coinsurance_cents": 500,
        "benefit_cents": 2000,
    }
    voted = case(
        VOTED,
        "A9999",
        42000,
        yes=2,
        no=1,
        opened=1,
        seniority_bp=300,
        ballots=[ballot(OTHER, "accept", 103, "needed after the fall")],
    )
    old = case(
        OLD,
        "A9999",
        38000,
        status="accepted",
        how="vote",
        s=40,
        closes_at=100,
        closed_height=61,
        yes=5,
        no=1,
        award_cents=38000,
    )
    plain = case(
        PLAIN,
        "L1820",
        31000,
        s=70,
        closes_at=130,
        yes=4,
        no=0,
        opened=4,
        bar_bp=5000,
        ballots=[ballot(ME, "accept", 75)],
    )
    mine = case(
        MINE,
        "K0001",
        64000,
        s=95,
        closes_at=155,
        yes=3,
        no=1,
        opened=3,
        streak=4,
        seniority_bp=200,
        bar_bp=6500,
        ballots=[
            ballot(OTHER, "accept", 97, "the invoice is plausible"),
            ballot("b3" * 32, "deny", 99, "too dear\x1b[2J"),
        ],
    )
    paid = payout(
        "51" * 32,
        MINE,
        97,
        2000,
        20000,
        sent_sat=18000,
        left_sat=0,
        credit_sat=2000,
        outputs=6,
        batches=[TXID],
        status="confirmed",
    )
    due = payout("52" * 32, OLD, 111, 36000, 360000, payee="ee" * 32, case="A9999")
    claims = {
        VOTED: claim(VOTED, [line("A9999", 42000)], [voted]),
        OLD: claim(OLD, [line("A9999", 38000, status="settled")], [old], [due], status="accepted", height=40),
        PLAIN: claim(PLAIN, [line("L1820", 31000)], [plain], provider_id=LAB, evidence=[], height=70),
        MINE: claim(
            MINE,
            [line("T1015", 18000, **settled), line("K0001", 64000)],
            [mine],
            [paid],
            cover_id=COVER,
            height=95,
            benefit_cents=2000,
        ),
    }
    return {
        "status": {
            "name": "Demo Mutual",
            "chain_id": "aa" * 32,
            "currency": "USD",
            "exponent": 2,
            "height": 112,
            "block_hash": "f0" * 32,
            "state_root": "0f" * 32,
            "term": 3,
            "day_one": "2026-01-01",
            "block_interval_ms": 2000,
            "peers": {"connected": 6, "known": 6},
            "mempool": 0,
            "is_syncing": False,
            "sync_target": 112,
            "consensus": {"view": 1, "is_member": True, "committee": 7, "misbehaviour": 0, "is_signing": True},
            "protocol": {"version": 1, "knows_next": True},
            "log_level": "info",
            "member": ME,
            "cover": COVER,
            "needs_me": 2,
        },
        "needs_me": [
            {
                **item,
                "my_choice": mine_choice,
                "on_duty": on_duty,
                "evidence_version": 1,
                "provider_id": claims[item["claim"]]["provider_id"],
                "evidence": claims[item["claim"]]["evidence"],
            }
            for item, mine_choice, on_duty in ((voted, None, True), (plain, "accept", False))
        ],
        "claims": claims,
        "payouts": [paid, due],
        "batches": [
            {
                "baton_txid": "b0" * 32,
                "baton_vout": 0,
                "unsigned_txid": TXID,
                "locktime": 200,
                "fee_sat": 500,
                "change_sat": 1_000,
                "payouts": [],
                "height": 98,
                "confirmations": 3,
                "block_height": 207,
            }
        ],
        "providers": [{"key": CLINIC, "identifier": "demo-clinic"}, {"key": LAB, "identifier": "demo-lab"}],
        "records": {},
    }


NODE_OFF = NodeNotRunning("node_not_running", "no node answers at /data/api.sock", "start it: mutua run", family="off")


class FakeNode:
    """Answers like a node; `is_off`, `refusal` and `hold` make it misbehave; `calls` keeps what was asked."""

    def __init__(self, folder):
        self.folder = folder
        self.data = world()
        self.calls = []
        self.is_off = False
        self.refusal = None
        self.hold = None
        self.queue = None

    def _check(self, *call):
        self.calls.append(call)
        if self.is_off:
            raise NODE_OFF

    async def status(self):
        self._check("status")
        return read(Status, self.data["status"])

    async def view(self, question, **arguments):
        name = question.name
        self._check("view", name, arguments)
        value = self.data[name] if name != "claim" else None
        if name == "claim":
            if arguments["id"] not in self.data["claims"]:
                raise ApiError("not_found", "the ledger knows no such claim", "check the id")
            value = self.data["claims"][arguments["id"]]
        elif name == "claims":
            owners = {None: None, ME: COVER}
            cover = owners[arguments.get("member")]
            value = [item for item in value.values() if cover is None or item["cover_id"] == cover]
        return read(question.shape, copy.deepcopy(value))

    def _block(self, height):
        return {
            "height": height,
            "hash": f"{height:064x}"[::-1],
            "time_ms": 1_795_569_357_090 + 2000 * height,
            "records": height % 3,
            "proposer": height % 7,
            "state_root": "0f" * 32,
            "term": height // 30,
        }

    async def blocks(self, start=None, count=20):
        self._check("blocks", start, count)
        last = self.data["status"]["height"]
        first = max(0, last - count + 1) if start is None else start
        heights = range(first, min(last, first + count - 1) + 1)
        return read(tuple[BlockHead, ...], [self._block(height) for height in heights])

    async def block(self, height):
        self._check("block", height)
        records = [{"id": BALLOT, "kind": "case.ballot", "author": OTHER, "number": 4, "body_hash": "00" * 32}]
        events = [
            {
                "event": "claim_accepted",
                "height": height,
                "claim": OLD,
                "case": "A9999",
                "how": "vote",
                "yes": 5,
                "no": 1,
                "award_cents": 38000,
            }
        ]
        whole = {**self._block(height), "records": records, "events": events, "has_certificate": True}
        return read(Block, whole)

    async def record(self, record_id):
        self._check("record", record_id)
        if record_id not in self.data["records"]:
            raise ApiError("not_found", "this node knows no such record", "check the id", status=404)
        return read(Receipt, self.data["records"][record_id])

    async def submit(self, kind, body, attestations=()):
        self._check("submit", kind, dict(body))
        if self.hold is not None:
            await self.hold.wait()
        if self.refusal is not None:
            raise self.refusal
        self.data["records"][BALLOT] = {
            "record_id": BALLOT,
            "state": "pending",
            "height": self.data["status"]["height"],
        }
        return Submitted(record_id=BALLOT, kind=kind, state="pending", height=self.data["status"]["height"])

    async def open_document(self, claim_id):
        self._check("open", claim_id)
        if self.refusal is not None:
            raise self.refusal
        path = self.folder / "documents" / DOCUMENT
        return Opened(
            record_id=OPENED, kind="case.opened", state="pending", path=str(path), hash=DOCUMENT, size_bytes=51
        )

    async def events(self):
        self.calls.append(("events",))
        self.queue = asyncio.Queue()
        if self.is_off:
            raise NODE_OFF
        yield {"event": "peer_up", "height": 112}
        while True:
            yield await self.queue.get()

    async def close(self):
        self.calls.append(("close",))

    # ---- What happens ------------------------------------------------------------

    def finish_block(self, blocks=1):
        """The next block is final; a pending ballot is in it and counted."""
        status = self.data["status"]
        status["height"] += blocks
        status["sync_target"] = status["height"]
        pending = self.data["records"].get(BALLOT)
        if pending and pending["state"] == "pending":
            self.data["records"][BALLOT] = {
                "record_id": BALLOT,
                "state": "final",
                "height": status["height"],
                "index": 1,
                "kind": "case.ballot",
                "records_root": "ab" * 32,
                "tree_size": 3,
                "proof": ["01" * 32, "02" * 32],
                "leaf": "03" * 32,
            }
            found = self.data["claims"][VOTED]["cases"][0]
            found["yes"] += 1
            found["ballots"].append(ballot(ME, "accept", status["height"]))
            self.data["needs_me"][0].update(yes=found["yes"], my_choice="accept", ballots=found["ballots"])
            status["needs_me"] = 1
        if self.queue is not None:
            self.queue.put_nowait({"event": "block_final", "height": status["height"]})


@pytest.fixture
def make_case():
    return case


@pytest.fixture
def make_claim():
    return claim


@pytest.fixture
def make_line():
    return line


@pytest.fixture
def node(tmp_path):
    fake = FakeNode(tmp_path)
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / DOCUMENT).write_text("Visit note: synthetic, nothing here is a person's.\n")
    return fake


@pytest.fixture
def make_app(node, tmp_path, monkeypatch):
    """Return a maker of apps that speak to the fake node; the data folder is a temporary one."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")

    def make(**remembered):
        if remembered:
            (tmp_path / "tui.json").write_text(json.dumps(remembered))
        return MutuaApp(tmp_path / "api.sock", tmp_path, connect=lambda path: node)

    return make


@pytest.fixture
def settle():
    """Return a coroutine that waits until the screen in front shows the node's newest answers, or a fault."""

    async def wait(pilot, until=None):
        for _ in range(200):
            await pilot.pause()
            screen = pilot.app.screen
            is_quiet = getattr(screen, "load_count", 1) > 0 and not getattr(screen, "_is_loading", False)
            if (is_quiet or pilot.app.fault) and (until is None or until()):
                await pilot.pause()
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the screen did not settle")

    return wait


@pytest.fixture
def play(make_app, settle):
    """Return a player: run the app on its own asyncio loop, press keys one by one, then hand it to `check`."""

    def run(keys=(), check=None, size=(110, 36), app=None):
        async def body():
            shown = app or make_app()
            async with shown.run_test(size=size) as pilot:
                await settle(pilot)
                for key in keys:
                    await pilot.press(key)
                    await settle(pilot)
                if check is not None:
                    result = check(pilot)
                    if asyncio.iscoroutine(result):
                        await result

        asyncio.run(body())

    return run


@pytest.fixture
def text_of():
    """Return what a screen says, as plain text: every Static and every row."""
    from textual.widgets import OptionList, Static

    def read(app):
        parts = [
            str(widget.visual) if hasattr(widget, "visual") else ""
            for widget in app.screen.query(Static)
            if widget.display
        ]
        for rows in app.screen.query(OptionList):
            parts += [str(option.prompt) for option in rows.options]
        return "\n".join(parts)

    return read
