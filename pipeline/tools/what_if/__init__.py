"""Compare the cost of sets of rules: decide the same traffic under each, and count the users who would be billed."""
