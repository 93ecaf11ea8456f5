"""Assistant: a private, offline chat assistant for the terminal.

The package is layered (see ``docs/architecture.md``); nothing heavy is imported here.
"""

__version__ = "0.1.0"
