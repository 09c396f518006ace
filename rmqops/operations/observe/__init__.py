"""What a running cluster says of itself."""
