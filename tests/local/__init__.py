"""Tests of the local edits endpoint."""
