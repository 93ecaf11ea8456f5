"""Trained adapters as things to keep: found, checked, put to use, taken back, passed on. No torch."""
