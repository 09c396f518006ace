"""Drills: faults, workload, checks, verdicts and reports."""
