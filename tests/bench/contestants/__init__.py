"""The programs that are measured, each as a process of its own: ``python -m tests.bench.contestants.NAME``."""
