"""The map of the lake: one module an area, each declaring its tables and models as contracts."""
