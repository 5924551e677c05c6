"""The paper's analysis, one figure or claim a module: logs in, `Findings` out."""
