"""A bitcoin regtest engine in its own process: Bitcoin Core's consensus code, a mempool, a miner, a Unix socket."""
