"""Builds the training data of the adapters that ship; see ``benchmarks/mixtures.py``."""
