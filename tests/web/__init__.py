"""Tests of the API through real HTTP."""
