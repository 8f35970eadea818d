"""Pictures: header reading in this process, decoding in limited children only."""
