"""The part of bitcoinlib 0.7.10 that wallet.transactions uses."""

class Key:
    public_byte: bytes
    def __init__(self, import_key: str, network: str = ...) -> None: ...
    def public(self) -> Key: ...

class Signature:
    @staticmethod
    def parse_bytes(signature: bytes, public_key: Key | None = ...) -> Signature: ...
