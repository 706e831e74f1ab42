"""The critic's self-test: does it tell doctored versions of a clip from the clip itself? Light to import."""
