"""What an auditor does with a copy of a ledger, offline."""
