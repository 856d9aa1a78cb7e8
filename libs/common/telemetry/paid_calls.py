"""Which calls of the paid face service cost something; the rule of the bill and of its metric."""

#: Operations that analyse or search images are charged for; managing collections is free.
CHARGED = frozenset({"DetectFaces", "IndexFaces", "SearchFaces", "SearchFacesByImage"})
