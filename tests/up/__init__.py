"""Tests of the command line: everything as real processes, as a user has it."""
