"""What is trained, by hand-written forward and backward passes; nothing here knows the probe.

`mlp` is the paper's network for XOR. `networks` (a one-layer transformer, and an MLP on embeddings, both from `layers`),
`tasks` (arithmetic mod p, sparse parity) and `optimisers` (SGD, momentum, AdamW) go beyond the paper; each has a table by name.
"""
