"""Where prices and macro series come from, behind one interface."""
