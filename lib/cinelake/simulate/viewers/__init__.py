"""People of the simulated service: what they like, when they sit down, what they choose, and the traces they leave."""
