"""What the simulated service consists of before anybody watches: markets, titles, networks, devices, households."""
