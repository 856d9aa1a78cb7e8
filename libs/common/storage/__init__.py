"""The object store: a protocol and its two adapters, S3 and a folder."""
