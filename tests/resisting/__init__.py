"""What keeps the service going where something else does not."""
