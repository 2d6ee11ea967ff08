"""The local API: its server, its clients and the shapes of its answers."""
