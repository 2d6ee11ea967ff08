"""Accounts, premiums, rates, payouts, treasury, solvency."""
