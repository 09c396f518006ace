"""Hosts made on one machine: containers with systemd, sshd and addresses of their own, to prove things against."""
