"""A controlled-degradation suite made on the spot: base clips, what is done to them, and what a critic made of it."""
