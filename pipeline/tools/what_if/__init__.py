"""What sets of rules would cost: the same traffic decided under each of them, and the users that each touches."""
