"""What `retake serve` does under load and under kills: see `__main__`."""
