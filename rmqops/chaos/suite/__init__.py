"""Several drills in a row, each for a claim."""
