"""What was said, and proof of it: canonical bytes, signatures, trees, blocks, the chain and its replay."""
