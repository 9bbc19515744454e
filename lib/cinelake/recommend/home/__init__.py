"""The home page: what its tiles came to, what a tile is worth to whom and when, and how rows become a page."""
