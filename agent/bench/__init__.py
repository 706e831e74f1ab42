"""The threshold benchmark: what a critic's score is worth to people, over labelled clips."""
