"""The treasury on a signer's node: plan, propose, sign, broadcast and watch batches of payouts."""
