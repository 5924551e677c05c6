"""Experiments: a question each, from nothing to its tables, its figure and its answer (`tdu.experiments.plan`)."""
