"""Engines: what turns messages into text. ``base`` is the protocol and imports no torch."""
