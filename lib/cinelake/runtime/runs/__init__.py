"""Runs: the graph of jobs, what is stale, one job over one window, what is entered of it, and upkeep."""
