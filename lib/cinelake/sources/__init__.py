"""What lands in the lake: the form of each source's records, and importers that write it."""
