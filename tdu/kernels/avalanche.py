"""Threshold-driven diffusion of a gradient field on a graph: one avalanche (arXiv:2604.04655, eq. 1)."""

from tdu._jit import kernel


@kernel
def find_active(field, threshold, active):
    """Write the sites with ``|field| > threshold`` to `active` (n,), in ascending order; return how many there are."""
    count = 0
    for i in range(field.size):
        if abs(field[i]) > threshold:
            active[count] = i
            count += 1
    return count


@kernel
def topple(field, indptr, indices, alpha, active, n_active, shares, dissipated):
    """One synchronous step in place: every active site gives ``alpha`` of its field to its neighbours in equal parts.

    Additions happen in a fixed order (ascending active site, then its row), which fixes the bits of the result. All active
    sites are lowered, and what each neighbour is due is settled, before any share arrives: that is what makes the step
    synchronous. Returns `dissipated` and, added to it one by one, what isolated sites shed out of the system.
    """
    for a in range(n_active):
        i = active[a]
        given = alpha * field[i]
        field[i] -= given
        degree = indptr[i + 1] - indptr[i]
        if degree == 0:
            dissipated += given
        else:
            shares[a] = given / degree
    for a in range(n_active):
        i = active[a]
        for e in range(indptr[i], indptr[i + 1]):
            field[indices[e]] += shares[a]
    return dissipated


@kernel
def relax(field, indptr, indices, alpha, threshold, max_steps, profile, toppled, active, shares):
    """Let the avalanche run until no site is active, or for `max_steps` steps; `field` (n,) is relaxed in place.

    indptr (n+1,) int64, indices (2E,) int32. Overwritten: profile (max_steps,) int64, topplings a step, zeros behind the
    last; toppled (n,) bool, the avalanche's extent; active (n,) int64 and shares (n,) float64, work space.
    Returns size, duration, extent, peak, dissipated, capped.
    """
    profile[:] = 0
    toppled[:] = False
    size = 0
    duration = 0
    extent = 0
    peak = 0
    dissipated = 0.0
    n_active = find_active(field, threshold, active)
    while n_active > 0 and duration < max_steps:
        for a in range(n_active):
            if not toppled[active[a]]:
                toppled[active[a]] = True
                extent += 1
        dissipated = topple(field, indptr, indices, alpha, active, n_active, shares, dissipated)
        profile[duration] = n_active
        size += n_active
        peak = max(peak, n_active)
        duration += 1
        n_active = find_active(field, threshold, active)
    return size, duration, extent, peak, dissipated, n_active > 0
