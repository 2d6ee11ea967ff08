"""What a member's node does for its owner: auto-accept, dependants, bundles, hooks."""
