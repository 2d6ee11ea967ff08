"""Receipts: the rule, inputs, tallies and steps of every decision, collected, shaped and explained in words."""
