"""What the co-op's records mean: pure rules over the state, exact to the integer."""
