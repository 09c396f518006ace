"""What a history proves: the checks, their bounds, and the word for the drill."""
