"""The pure core: no input or output, clock, randomness, environment, logging or framework.

`processing` has the whole path of one message; `policy` is what the user chose, compiled.
"""
