"""Which replica consumes which match partition, by leases in the database.

Ownership is for cost and warm caches only. Matching commits first and scans afterwards, and a
selfie's indexing is claimed by a row of its own: two owners at once, or none, make nothing wrong.
"""
