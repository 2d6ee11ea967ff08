"""Which block is next: H-Simplex as a pure step function, and the cluster simulator that tries to break it."""
