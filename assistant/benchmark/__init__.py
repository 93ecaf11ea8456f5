"""Measures this machine: what ``assistant bench`` prints. One module a suite."""
