"""How this node agrees on the next block: the driver, its own votes and what guards them."""
