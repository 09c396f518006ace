"""The difference between the inventory and the hosts, and the files that belong there."""
