"""What a block does to the ledger: propose, check, apply, verify, replay."""
