"""The part of bitcoinlib 0.7.10 that wallet.transactions uses."""

from bitcoinlib.keys import Key, Signature

class Network:
    name: str

class Input:
    redeemscript: bytes
    signatures: list[Signature]
    def update_scripts(self) -> bool: ...

class Output:
    lock_script: bytes
    value: int

class Transaction:
    inputs: list[Input]
    outputs: list[Output]
    network: Network
    txid: str
    def __init__(self, *, network: str, witness_type: str, version: int, locktime: int) -> None: ...
    def add_input(
        self,
        prev_txid: str,
        output_n: int,
        *,
        keys: list[Key],
        script_type: str,
        witness_type: str,
        encoding: str,
        sigs_required: int,
        value: int,
        sequence: int,
        sort: bool,
    ) -> int: ...
    def add_output(self, value: int, address: str) -> int: ...
    def signature_hash(self, sign_id: int = ..., *, witness_type: str = ...) -> bytes: ...
    def raw(self, *, witness_type: str | None = ...) -> bytes: ...
