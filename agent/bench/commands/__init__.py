"""`retake bench …`: one module a command, with `add` (its arguments) and `main` (its work)."""
