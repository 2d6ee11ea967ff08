"""Filing claims: what a cover or a provider hands in, above voting and benefits."""
