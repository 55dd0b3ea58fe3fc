"""Two ways to shift the clock of a child process (`tests.wrong_clock`)."""
