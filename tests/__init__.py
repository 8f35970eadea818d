"""The tests; a package, so that they can import the samples beside them."""
