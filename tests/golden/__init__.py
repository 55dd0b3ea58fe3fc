"""What much traffic comes to, byte by byte and in the tables of the documentation; run without coverage."""
