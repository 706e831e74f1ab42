"""Critics: what judges a clip against the user's prompt, behind one Protocol."""
