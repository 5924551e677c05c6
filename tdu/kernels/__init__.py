"""Compiled kernels: raw arrays in, raw arrays out, nothing validated here (see `tdu._validate`)."""
