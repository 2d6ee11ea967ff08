"""Receipts: for every decision the rule, its inputs, each block's tally and each step, so that a stranger can compute it again.

`collect` replays a history and notes what the rules read and wrote; `shapes` is what it notes; `words` says it in plain sentences.
"""
