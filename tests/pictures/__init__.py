"""Tests of header reading, canonical pictures and the decode children."""
