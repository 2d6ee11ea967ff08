"""How records and blocks travel between nodes: frames, gossip, block sync."""
