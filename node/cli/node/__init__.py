"""Commands to live with a node."""
