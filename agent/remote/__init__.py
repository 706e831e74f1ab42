"""A run on a server of ours: `refine_and_generate(..., server=URL)` and `retake run --server URL`."""
