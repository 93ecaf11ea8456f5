"""The widgets of the chat screen, one a file."""
