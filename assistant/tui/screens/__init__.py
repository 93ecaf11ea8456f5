"""The screens: the chat, and those that lie over it for a moment."""
