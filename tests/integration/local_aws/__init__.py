"""The embedded AWS against itself: real server, real processes."""
