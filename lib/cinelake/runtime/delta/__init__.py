"""The lake: tables and files on any file system, whose turn it is to write, and what stands in Delta's log."""
