"""Whether the entries of a row, or of a column, are alike: the mean correlation of all pairs, without going through them."""

import math

from tdu.avalanches.contrast import Contrast
from tdu.avalanches.edges import permutation_moments
from tdu.types import Floats


def row_correlation(values: Floats) -> Contrast:
    """Mean correlation of all pairs of entries of a matrix (m, n) that share a row, less its expectation under permutation.

    Of columns it is that of the transpose.

    Parameters
    ----------
    values : (m, n), as the ranks of magnitudes, which add up to 0.

    Returns
    -------
    Contrast
        With its standard deviation under all permutations of the entries; nan of n = 1, or where all entries are equal.

    Notes
    -----
    With R_i the sums of rows, Σ_i Σ_{j<k} r_ij r_ik = ½ (Σ R_i² − Σ r²), so that over the m n (n − 1) / 2 pairs

        ρ = (Σ R_i² / Σ r² − 1) / (n − 1) + 1 / (m n − 1),

    the variance of row sums over that of independent entries. It is Moran's I of the graph that joins all entries of a row, and
    its moments are exact as those of `tdu.avalanches.edges.edge_statistics`.

    Examples
    --------
    Rows of one value each:

    >>> from tdu.avalanches.lines import row_correlation
    >>> values = np.array([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]])
    >>> round(row_correlation(values).value, 3), round(row_correlation(values.T).value, 3)
    (1.2, -0.3)
    """
    flat = values.ravel()
    squares = flat * flat
    powers = (float(squares.sum()), float((squares * flat).sum()), float((squares * squares).sum()))
    return of_row_sums(values.sum(axis=1), values.shape[1], powers)


def of_row_sums(sums: Floats, columns: int, powers: tuple[float, float, float]) -> Contrast:
    """The same of the `sums` of rows (m,) of so many columns, and of the sums of squares, cubes and fourth powers of all.

    >>> from tdu.avalanches.lines import of_row_sums
    >>> round(of_row_sums(np.array([-2.0, 0.0, 2.0]), 2, (4.0, 0.0, 4.0)).value, 3)
    1.2
    """
    n = sums.size * columns
    n_pairs, n_sharing = n * (columns - 1) // 2, n * (columns - 1) * (columns - 2) // 2
    mean, sd = permutation_moments(n, n_pairs, n_sharing, (0.0, *powers))
    if not n_pairs or not powers[0]:
        return Contrast(math.nan, math.nan)
    unit = n_pairs * powers[0] / n
    return Contrast((0.5 * (float(sums @ sums) - powers[0]) - mean) / unit, sd / unit)
