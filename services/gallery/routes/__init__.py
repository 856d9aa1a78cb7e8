"""The gallery's HTTP routes: each decodes, calls one use case and encodes."""
