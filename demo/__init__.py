"""The demo: the whole job, done through the HTTP API as its users would."""
