"""Inventories as Ansible reads them: the files, the question, and the answers that are kept."""
