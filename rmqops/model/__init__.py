"""PURE. Topology and its rules, releases, commands as values, history events."""
