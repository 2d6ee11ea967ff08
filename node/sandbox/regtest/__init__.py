"""A bitcoin regtest engine as a process of its own: `python -m node.sandbox.regtest --dir D --socket S`.

The real consensus code of Bitcoin Core (py-bitcoinkernel), a small mempool, a miner, and JSON lines over a Unix socket.
"""
