"""How long a worker takes from its start to its first settled messages, and the parts of that time."""
