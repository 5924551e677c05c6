"""Compiled kernels: raw arrays in, raw arrays out. Callers validate them (`tdu._validate`, `tdu._check`)."""
