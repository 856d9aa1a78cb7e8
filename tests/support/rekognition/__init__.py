"""A Rekognition server for tests: the protocol, the documented limits, faces from a script."""
