"""Where processes of the load run: this machine, or hosts of clients."""
