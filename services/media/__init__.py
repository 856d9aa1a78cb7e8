"""Bytes: originals, selfies and renditions, for those who may see them."""
