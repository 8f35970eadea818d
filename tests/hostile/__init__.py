"""
A corpus of hostile pictures with the fate that each of them must meet.

``corpus.build`` makes it, the same bytes for the same seed; ``python -m tests.hostile FOLDER``
writes it to a folder.
"""
