"""Records and bodies that wait for a block, and how a member's own records are signed and taken in."""
