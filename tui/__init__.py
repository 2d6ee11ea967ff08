"""The terminal UI: over the local API only, in a process of its own."""
