"""Receipts of decisions, and a stranger who computes them again."""
