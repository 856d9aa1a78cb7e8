#!/bin/sh
# Converts the face networks at build time, into <root>/models: a read-only root cannot keep them.
# Model files that lie in deploy/images/models (`findme models pull`) come along.
# usage: prepare-models.sh <image> <root>
set -eu
root=$2
given=$(dirname "$0")/models

mkdir -p "$root/models"
find "$given" -name '*.onnx' -exec cp {} "$root/models/" \;
PYTHONPATH="$root/app" "$root/venv/bin/python" -c '
import sys
from pathlib import Path
from services.recognition.engine.engines import EmbeddedEngine, OpenCvEngine
for engine in (EmbeddedEngine, OpenCvEngine):
    engine(model_dir=Path(sys.argv[1]))
' "$root/models"
ls "$root"/models/dlib-resnet-*.onnx >/dev/null

# 100 MB of models that nothing here opens.
packages=$("$root/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rm "$packages/face_recognition_models/models/shape_predictor_68_face_landmarks.dat" \
   "$packages/face_recognition_models/models/mmod_human_face_detector.dat"
