"""The media service's routes."""
