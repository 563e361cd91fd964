"""What exists of ours, whose it is, and proof that nothing is left."""
