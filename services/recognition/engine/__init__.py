"""Faces in a picture, and what they are compared by."""

import os

# ONNX Runtime notes what machine it runs on, for its makers; it looks at this when it is imported,
# which is below this package alone.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
