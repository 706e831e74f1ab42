"""`retake mark`: a loopback page on which people rate the candidates of runs."""
