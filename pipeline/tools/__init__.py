"""What an operator runs beside the live workers: what rules cost, how they differ, and which schemas can be read."""
