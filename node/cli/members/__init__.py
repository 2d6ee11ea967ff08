"""Commands on members, keys, dependants, providers and bundles."""
