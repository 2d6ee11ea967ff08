"""Keys and money: key ring, key file, sealed addresses, denominations, treasury transactions. No network, no disk."""
