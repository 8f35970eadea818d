"""The typed client against the real API, and against what can go wrong on the way to it."""
