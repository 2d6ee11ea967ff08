"""Plans, contracts, codes, claims, settlement, promotion."""
