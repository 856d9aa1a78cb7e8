"""What another engine has indexed is indexed again, in the background, when the engine changes.

Faces of two engines cannot be compared, so a photo and a selfie meet only once both have faces
of one engine. What the old one had matched stands until then. See docs/design/faces.md.
"""
