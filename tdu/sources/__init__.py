"""Gradients in files: formats, patterns and indexes, and what makes runs of a log of them."""
