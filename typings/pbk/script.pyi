"""The part of py-bitcoinkernel 0.1.0a5 that node.sandbox.regtest uses."""

from pbk import Transaction, TransactionOutput

class PrecomputedTransactionData:
    def __init__(self, tx_to: Transaction, spent_outputs: list[TransactionOutput] | None) -> None: ...
