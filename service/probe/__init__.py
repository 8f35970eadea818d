"""One paid call that tells what an upstream really does, and which settings work."""
