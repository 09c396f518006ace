"""Run drills and read their verdicts."""
