"""A simulated streaming service with hidden truth."""
