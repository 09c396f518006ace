"""What changes a fleet: deploy, restart, scale out, promote, destroy."""
