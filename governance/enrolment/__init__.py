"""Who comes in and who is not renewed: rules above contracts, money and votes."""
