"""What the chain remembers: rows and tables only, one file a concept."""
