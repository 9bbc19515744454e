"""Misuse of accounts, and all that merely looks like it."""
