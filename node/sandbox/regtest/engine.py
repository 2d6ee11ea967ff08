"""The regtest chain: the kernel judges blocks and scripts; this file keeps the coins, a mempool, a miner and a journal.

Everything accepted is fsynced to `journal.log` (one JSON line a block or transaction) before it is answered, so a
killed engine comes back where it was: the kernel's own databases are a cache that the journal refills. No network,
no relay policy beyond the consensus rules, no replacement of a waiting transaction: the first spend of a coin wins.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ledger.errors import LedgerCorrupt, MutuaError
from node.sandbox.regtest.transactions import Tx, TxOut, block_hash_of, mine_block, read_block, read_tx, write_tx

if TYPE_CHECKING:
    import pbk

ANYONE = b"\x51"
"""OP_TRUE: the engine's own coins, which anyone can spend."""
COINBASE_MATURITY = 100
SUBSIDY_SAT = 50 * 10**8
HALVING_BLOCKS = 150
MINE_MAX = 2_000
MEMPOOL_MAX = 1_000
BLOCK_WEIGHT_MAX = 3_900_000
FUND_FEE_SAT = 10_000
SEQUENCE_FINAL = 0xFFFFFFFF
LOCKTIME_THRESHOLD = 500_000_000
_MEDIAN_SPAN = 11

Coin = tuple[bytes, int]


@dataclass(slots=True)
class _Output:
    out: TxOut
    height: int | None
    """None while its transaction waits in the mempool."""
    is_coinbase: bool
    spent_by: bytes | None = None
    """Txid of the spender, mined or waiting."""


class Engine:
    """One chain in one folder. Not thread-safe: the server calls it from one task."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_folder(folder)
        self._outputs: dict[Coin, _Output] = {}
        self._heights: dict[bytes, int] = {}
        self._mempool: dict[bytes, Tx] = {}
        self._unminable: set[bytes] = set()
        """Waiting transactions whose block the kernel refused (too many signature operations, say)."""
        self._times: list[int] = []
        self._faucet: dict[Coin, int] = {}
        self._journal_path = folder / "journal.log"
        lines = _read_journal(self._journal_path)
        self._kernel = _open_kernel(
            folder / "kernel", [bytes.fromhex(line["block"]) for line in lines if "block" in line]
        )
        self.tip = bytes(self._kernel.get_active_chain().block_tree_entries[0].block_hash)[::-1]
        self.height = 0
        for line in lines:
            if "block" in line:
                self._index_block(bytes.fromhex(line["block"]))
            elif bytes.fromhex(line["txid"]) not in self._heights:
                self._enter_mempool(read_tx(bytes.fromhex(line["tx"])))
        if self._kernel.get_active_chain().height != self.height:
            raise _corrupt("regtest_journal", "the kernel and the journal are at different heights")
        self._journal = self._journal_path.open("ab")

    def close(self) -> None:
        """Close journal and kernel; the folder may be opened again."""
        self._journal.close()
        del self._kernel
        self._lock.close()

    # ---- What clients ask ------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return chain, height, tip hash and the number of waiting transactions."""
        return {"chain": "regtest", "height": self.height, "tip": self.tip.hex(), "mempool": len(self._mempool)}

    def find_tx(self, txid: bytes) -> dict[str, Any] | None:
        """Return confirmations and height of a transaction (0 and None while it waits); None when unknown."""
        if txid in self._mempool:
            return {"confirmations": 0, "height": None}
        height = self._heights.get(txid)
        return None if height is None else {"confirmations": self.height - height + 1, "height": height}

    def find_output(self, txid: bytes, vout: int) -> dict[str, Any] | None:
        """Return amount, script, confirmations and the txid that spends it (None: unspent); None when unknown."""
        found = self._outputs.get((txid, vout))
        if found is None:
            return None
        return {
            "amount_sat": found.out.amount_sat,
            "script": found.out.script.hex(),
            "confirmations": 0 if found.height is None else self.height - found.height + 1,
            "spent_by": None if found.spent_by is None else found.spent_by.hex(),
        }

    def send_raw(self, raw: bytes) -> bytes:
        """Take a transaction into the mempool, unless it is known, and return its txid.

        Errors: MalformedBytes `tx_malformed`; MutuaError `tx_refused` with the reason.
        """
        tx = read_tx(raw)
        if tx.txid in self._mempool or tx.txid in self._heights:
            return tx.txid
        if len(self._mempool) >= MEMPOOL_MAX:
            raise _refused(f"{MEMPOOL_MAX} transactions wait already")
        self._check_tx(tx)
        self._enter_mempool(tx)
        self._write([{"txid": tx.txid.hex(), "tx": raw.hex()}])
        return tx.txid

    def mine(self, count: int, script: bytes = ANYONE) -> list[bytes]:
        """Mine `count` blocks that pay `script`, waiting transactions first; return their hashes."""
        if not 0 <= count <= MINE_MAX:
            raise MutuaError("mine_count", f"{count} blocks were asked for", f"ask for 0 to {MINE_MAX}")
        made = [self._mine_one(script) for _ in range(count)]
        self._write([{"block": raw.hex()} for raw in made])
        return [block_hash_of(raw) for raw in made]

    def fund(self, script: bytes, amount_sat: int) -> tuple[bytes, int]:
        """Make a confirmed output of exactly `amount_sat` to `script` and return (txid, vout). Mines what it needs."""
        if not 330 <= amount_sat <= 10**12:
            what = f"{amount_sat} sat cannot be funded on regtest"
            raise MutuaError("fund_amount", what, "ask for 330 sat to 10 000 coins")
        need, chosen = amount_sat + FUND_FEE_SAT, list[Coin]()
        if self._mature_sat() < need:
            self.mine(COINBASE_MATURITY + 1)
        while self._mature_sat() < need:
            if self._subsidy(self.height + 1) < SUBSIDY_SAT >> 10:
                what = "this regtest chain has no more coins to give"
                raise MutuaError("fund_amount", what, "start one in a fresh folder")
            self.mine(10)
        total = 0
        for coin, amount in self._mature():
            chosen.append(coin)
            total += amount
            if total >= need:
                break
        outputs = [TxOut(amount_sat, script)] + ([TxOut(total - need, ANYONE)] if total > need else [])
        txid = self.send_raw(write_tx(chosen, outputs))
        self.mine(1)
        return txid, 0

    # ---- Rules -----------------------------------------------------------

    def _check_tx(self, tx: Tx) -> None:
        """Raise `tx_refused` unless the next block may carry `tx`."""
        if tx.is_coinbase or len({(item.txid, item.vout) for item in tx.inputs}) != len(tx.inputs):
            raise _refused("it is a coinbase or spends a coin twice")
        spent: list[TxOut] = []
        for item in tx.inputs:
            found = self._outputs.get((item.txid, item.vout))
            if found is None:
                raise _refused(f"coin {item.txid.hex()}:{item.vout} is unknown")
            if found.spent_by is not None:
                raise _refused(f"coin {item.txid.hex()}:{item.vout} is spent by {found.spent_by.hex()}")
            if found.is_coinbase and found.height is not None and self.height + 1 - found.height < COINBASE_MATURITY:
                raise _refused("it spends a coinbase younger than 100 blocks")
            spent.append(found.out)
        fee_sat = sum(out.amount_sat for out in spent) - sum(out.amount_sat for out in tx.outputs)
        if fee_sat < 0 or any(out.amount_sat >= 1 << 53 for out in tx.outputs):
            raise _refused("its outputs are worth more than its inputs")
        if any(item.sequence >> 31 == 0 for item in tx.inputs):
            raise _refused("it uses a relative lock (BIP68), which this engine does not track")
        is_final = tx.locktime < (self.height + 1 if tx.locktime < LOCKTIME_THRESHOLD else self._median_time())
        if not is_final and any(item.sequence != SEQUENCE_FINAL for item in tx.inputs):
            raise _refused(f"its locktime {tx.locktime} is not reached at height {self.height}")
        self._check_scripts(tx, spent)

    def _check_scripts(self, tx: Tx, spent: list[TxOut]) -> None:
        """Raise `tx_refused` unless the kernel accepts every input's script."""
        import pbk
        from pbk.script import PrecomputedTransactionData

        try:
            made = pbk.Transaction(tx.raw)
        except (RuntimeError, ValueError, pbk.KernelException):
            raise _refused("the kernel cannot read it") from None
        outputs = [pbk.TransactionOutput(pbk.ScriptPubkey(out.script), out.amount_sat) for out in spent]
        data = PrecomputedTransactionData(made, outputs)
        for index, out in enumerate(spent):
            try:
                is_valid = bool(
                    pbk.ScriptPubkey(out.script).verify(
                        out.amount_sat, made, data, index, pbk.ScriptVerificationFlags.ALL
                    )
                )
            except pbk.KernelException:
                is_valid = False
            if not is_valid:
                raise _refused(f"the signatures of input {index} do not satisfy its script")

    def _subsidy(self, height: int) -> int:
        return SUBSIDY_SAT >> (height // HALVING_BLOCKS) if height // HALVING_BLOCKS < 64 else 0

    def _median_time(self) -> int:
        return sorted(self._times[-_MEDIAN_SPAN:])[len(self._times[-_MEDIAN_SPAN:]) // 2] if self._times else 0

    def _mature(self) -> list[tuple[Coin, int]]:
        """Return the engine's spendable coins, oldest first."""
        found = self._faucet.items()
        return [(coin, amount) for coin, amount in found if self._is_mature(self._outputs[coin])]

    def _is_mature(self, output: _Output) -> bool:
        if output.spent_by is not None or output.height is None:
            return False
        return not output.is_coinbase or self.height + 1 - output.height >= COINBASE_MATURITY

    def _mature_sat(self) -> int:
        return sum(amount for _, amount in self._mature())

    # ---- Changes ---------------------------------------------------------

    def _mine_one(self, script: bytes) -> bytes:
        """Make one block and have the kernel take it; return its bytes (not yet in the journal)."""
        chosen: list[Tx] = []
        weight = 0
        for tx in self._mempool.values():  # insertion order: parents before children
            if weight + tx.weight > BLOCK_WEIGHT_MAX:
                break
            if tx.txid not in self._unminable and not any(item.txid in self._unminable for item in tx.inputs):
                weight += tx.weight
                chosen.append(tx)
            else:
                self._unminable.add(tx.txid)
        raw = self._block_of(script, chosen)
        if not _feed(self._kernel, raw, self.height + 1):
            self._unminable |= {tx.txid for tx in chosen}
            raw = self._block_of(script, [])
            if not _feed(self._kernel, raw, self.height + 1):
                raise _corrupt("regtest_block", f"the kernel refuses an empty block {self.height + 1}")
        self._index_block(raw)
        return raw

    def _block_of(self, script: bytes, transactions: list[Tx]) -> bytes:
        """Return a block on the tip whose subsidy and fees go to `script`."""
        spent_sat = sum(self._outputs[item.txid, item.vout].out.amount_sat for tx in transactions for item in tx.inputs)
        fees_sat = spent_sat - sum(out.amount_sat for tx in transactions for out in tx.outputs)
        height = self.height + 1
        time_s = max(self._median_time() + 1, int(time.time()))
        return mine_block(self.tip, time_s, height, TxOut(self._subsidy(height) + fees_sat, script), transactions)

    def _index_block(self, raw: bytes) -> None:
        """Add a block the kernel has taken to the index of coins."""
        self.height += 1
        self.tip = block_hash_of(raw)
        self._times.append(int.from_bytes(raw[68:72], "little"))
        for tx in read_block(raw):
            self._mempool.pop(tx.txid, None)
            self._heights[tx.txid] = self.height
            self._index_outputs(tx, self.height)

    def _enter_mempool(self, tx: Tx) -> None:
        self._mempool[tx.txid] = tx
        self._index_outputs(tx, None)

    def _index_outputs(self, tx: Tx, height: int | None) -> None:
        for vout, out in enumerate(tx.outputs):
            coin = (tx.txid, vout)
            before = self._outputs.get(coin)
            self._outputs[coin] = _Output(out, height, tx.is_coinbase, before.spent_by if before else None)
            if out.script == ANYONE and out.amount_sat > 0:
                self._faucet[coin] = out.amount_sat
        if not tx.is_coinbase:
            for item in tx.inputs:
                self._outputs[item.txid, item.vout].spent_by = tx.txid
                self._faucet.pop((item.txid, item.vout), None)

    def _write(self, lines: list[dict[str, str]]) -> None:
        """Append lines to the journal, durable on return."""
        self._journal.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self._journal.flush()
        os.fsync(self._journal.fileno())


# ---- Helpers ------------------------------------------------------------------


def _refused(reason: str) -> MutuaError:
    hint = "build it on coins that are there and unspent, and sign it again"
    return MutuaError("tx_refused", f"transaction refused: {reason}", hint)


def _corrupt(code: str, what: str) -> LedgerCorrupt:
    return LedgerCorrupt(code, what, "remove the regtest folder")


def _lock_folder(folder: Path) -> IO[bytes]:
    """Hold the folder for this process; MutuaError `regtest_locked` when another one has it."""
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        what = f"another regtest engine runs in {folder}"
        raise MutuaError("regtest_locked", what, "stop it, or use another folder") from None
    return file


def _read_journal(path: Path) -> list[dict[str, str]]:
    """Return the journal's lines; a last line torn by a crash is cut off."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        with path.open("r+b") as file:
            file.truncate(len(whole))
            os.fsync(file.fileno())
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError:
        raise _corrupt("regtest_journal", f"{path} is damaged") from None


def check_kernel() -> None:
    """Raise MutuaError `regtest_missing` if the kernel's package is not installed, so that no engine can start."""
    if importlib.util.find_spec("pbk") is None:
        hint = "install mutua from its checkout with the extra demo: '.[demo]' in place of '.'"
        raise MutuaError("regtest_missing", "py-bitcoinkernel is not installed", hint)


def _open_kernel(folder: Path, blocks: list[bytes]) -> pbk.ChainstateManager:
    """Return the kernel with every block of the journal, rebuilt from it if a crash broke the kernel's folder."""
    check_kernel()
    import pbk

    try:
        return _filled(pbk.load_chainman(_made(folder), pbk.ChainType.REGTEST), blocks)
    except (pbk.KernelException, RuntimeError, LedgerCorrupt):
        shutil.rmtree(folder, ignore_errors=True)
        return _filled(pbk.load_chainman(_made(folder), pbk.ChainType.REGTEST), blocks)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _filled(kernel: pbk.ChainstateManager, blocks: list[bytes]) -> pbk.ChainstateManager:
    """Feed the journal's blocks above the kernel's tip; LedgerCorrupt when the kernel is elsewhere."""
    height = kernel.get_active_chain().height
    tip = bytes(kernel.get_active_chain().block_tree_entries[height].block_hash)[::-1]
    if height > len(blocks) or (height and tip != block_hash_of(blocks[height - 1])):
        raise LedgerCorrupt("regtest_kernel", "the kernel's folder is ahead of the journal", "it is built again")
    for number, raw in enumerate(blocks[height:], height + 1):
        if not _feed(kernel, raw, number):
            raise _corrupt("regtest_block", f"the kernel refuses block {number} of the journal")
    return kernel


def _feed(kernel: pbk.ChainstateManager, raw: bytes, height: int) -> bool:
    """Give the kernel a block; True iff its chain is then `height` blocks high."""
    import pbk

    try:
        kernel.process_block(pbk.Block(raw))
    except pbk.KernelException:
        return False
    return kernel.get_active_chain().height == height
