"""How the suite itself fares: what its runs cost, and whether its deliveries come as they should."""
