"""What an operator runs beside the live workers: what a set of rules would cost, and what a change of rules means."""
