"""What a player makes of a press of play: joining, picture, stalls, errors, and what it reports of them."""
