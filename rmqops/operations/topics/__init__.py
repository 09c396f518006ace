"""Topics and consumer groups of a running cluster."""
