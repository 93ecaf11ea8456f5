"""A simulated user with hidden preferences, for ``benchmarks/feedback.py``."""
