"""What a daemon does besides blocks: work that starts from the ledger's state and ends in records."""
