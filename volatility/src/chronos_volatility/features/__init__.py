"""What the models see: features of a session's close, and the label that comes after it."""
