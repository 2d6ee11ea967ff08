"""Members, delegation, renewal, admission."""
