"""Exponents over system sizes, distributions, and intervals by resampling runs."""
