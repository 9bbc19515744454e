"""Account integrity: who streams at once, who shares, who took an account over, and what a person should look at."""
