"""Models trained by hand-written forward and backward passes; they do not know the probe."""
