"""The transport: framed messages between members over libp2p, under a supervisor of its own."""
