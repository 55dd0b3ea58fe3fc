"""The operator's tools beside live workers: cost of rules, differences of rules, tracked users, readable schemas."""
