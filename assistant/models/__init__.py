"""Models: which there are, where their files lie, how they get there, and which to choose."""
