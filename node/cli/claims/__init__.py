"""Commands on claims, evidence and ballots."""
