"""Training: everything that makes weights out of examples."""
