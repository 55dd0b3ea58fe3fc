"""What the stand-ins of all destinations share: serving, faults, and control over HTTP."""
