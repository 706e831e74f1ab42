"""How few render seconds reach a good clip: search strategies, replayed by the real loop over recorded scores."""
