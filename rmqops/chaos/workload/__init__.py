"""The processes that send and receive while a drill runs."""
