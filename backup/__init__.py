"""Backup and restore: the database in one snapshot, and every object that it names."""
