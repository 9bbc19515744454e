"""Before viewers are affected: how likely a session stalls in the next minute."""
