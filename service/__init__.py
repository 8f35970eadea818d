"""The edit-and-describe moderation service."""

__version__ = "0.1.0"
