"""How much a face says about who it is."""

#: Faces below it are kept but not matched.
MIN_QUALITY = 0.0
