"""From verdicts to terminal, JSON, JUnit XML and one HTML file."""
