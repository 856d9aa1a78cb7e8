"""Amazon Rekognition as a face index: one collection per event, every call counted."""
