"""All SQL of the gallery, one file per subject."""
