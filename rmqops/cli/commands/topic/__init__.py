"""Create, list, describe and delete topics."""
