"""The part of py-bitcoinkernel 0.1.0a5 that node.sandbox.regtest uses."""

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from pathlib import Path

class KernelException(Exception): ...

class ChainType(IntEnum):
    REGTEST = ...

class ScriptVerificationFlags(IntFlag):
    ALL = ...

class BlockHash:
    def __bytes__(self) -> bytes: ...

class BlockTreeEntry:
    block_hash: BlockHash
    height: int

class Block:
    def __init__(self, raw_block: bytes) -> None: ...

class Chain:
    height: int
    block_tree_entries: Sequence[BlockTreeEntry]

class ChainstateManager:
    def get_active_chain(self) -> Chain: ...
    def process_block(self, block: Block) -> bool: ...

class Transaction:
    def __init__(self, data: bytes) -> None: ...

class TransactionOutput:
    def __init__(self, script_pubkey: ScriptPubkey, amount: int) -> None: ...

class ScriptPubkey:
    def __init__(self, data: bytes) -> None: ...
    def verify(self, amount: int, tx_to: Transaction, precomputed_txdata: object, input_index: int, flags: ScriptVerificationFlags) -> bool: ...

def load_chainman(datadir: Path | str, chain_type: ChainType = ...) -> ChainstateManager: ...
