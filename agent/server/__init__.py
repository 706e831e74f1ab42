"""`retake serve`: the loop as a service, in the words of fal, OpenAI, NIM and our own."""
