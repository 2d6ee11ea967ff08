"""Receipts: the rule, inputs, tallies and steps of every decision, so that anyone can compute it again.

`collect` replays a history and notes what the rules read and wrote, in `shapes`; `words` explains it in sentences.
"""
