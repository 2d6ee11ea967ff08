"""Commands on the co-op: charter, proposals, treasury, rehearsals, laboratory."""
