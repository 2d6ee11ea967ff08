"""What no real node needs: devnet, demo, regtest engine, synthetic visits, laboratory checks."""
