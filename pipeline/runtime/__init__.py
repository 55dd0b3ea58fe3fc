"""The life of a process: signals, status pages, health, shutdown order, memory limit, and the roles' supervisor."""
