"""A network of its own, in which every address exists and every connection is noted."""
