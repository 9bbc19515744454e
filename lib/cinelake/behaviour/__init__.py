"""Silver: what people rated and tagged, and how titles changed, cleaned of duplicates and typed."""
