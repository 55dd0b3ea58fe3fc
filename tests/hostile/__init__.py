"""Hostile messages, answers and operators, played against real workers."""
