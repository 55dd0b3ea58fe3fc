"""The programs that are measured, each as a separate process: ``python -m tests.bench.contestants.NAME``."""
