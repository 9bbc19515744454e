"""Streaming quality: how well sessions played, what was anomalous, and where the fault lay."""
