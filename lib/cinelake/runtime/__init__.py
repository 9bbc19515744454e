"""The only part of the package with a session, a clock, or input and output."""
