"""Arbitrary records of every kind against the real transition."""
