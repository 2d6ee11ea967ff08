"""An auditor against a forger: sound ledgers, and what somebody who holds every key may make of them."""
