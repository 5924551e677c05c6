"""Fields on graphs: avalanches, their observables, null models and surrogates."""
