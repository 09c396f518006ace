"""Whether the machines are fit for a cluster."""
