"""Make hosts on this machine, with systemd, sshd and addresses of their own, to try things on."""
