"""The life of a process: signals, status pages, health, memory and the supervisor."""
