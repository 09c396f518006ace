"""One verb a file: each on top of a playbook or the transport."""
