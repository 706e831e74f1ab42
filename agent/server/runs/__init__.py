"""Our own API: runs are handed in, followed and fetched at /v1/runs."""
