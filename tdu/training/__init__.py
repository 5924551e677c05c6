"""Runs under the probe, trained once, and the store they are kept in."""
