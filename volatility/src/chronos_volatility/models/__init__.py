"""The models, how they are fitted walk-forward, and what they are stored as."""
