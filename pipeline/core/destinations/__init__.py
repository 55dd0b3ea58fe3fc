"""What is special about each destination: names, records, limits and rules of billing. Pure."""
