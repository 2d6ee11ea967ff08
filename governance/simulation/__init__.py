"""Scenario files and how they are played."""
