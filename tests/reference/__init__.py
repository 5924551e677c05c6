"""The specification as slow, plain Python: imports nothing of tdu, and nothing but the standard library."""
