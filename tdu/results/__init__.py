"""Findings beside the published figures: verdicts, files, figures, pages and the report."""
