"""The terminal app. Its front door is :mod:`assistant.tui.app`; nothing is imported here."""
