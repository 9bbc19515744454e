"""The session: Java and jars, settings with their reasons, and what has to stand before it begins."""
