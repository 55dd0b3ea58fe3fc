"""The pure core: no input or output, clock, randomness, environment, logging or framework.

`processing` shows the whole path of one message; `policy` has the user's choices in compiled form. Each destination has
a folder or module in `destinations`, which nothing else in the core imports.
"""
