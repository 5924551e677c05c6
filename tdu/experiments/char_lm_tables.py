"""The tables of the study of small language models."""

from tdu.analysis.alignment import beside_one, higher_or_lower
from tdu.experiments import char_lm_held_out, char_lm_rook
from tdu.experiments.char_lm_series import (
    ALL,
    DIFFERENCE,
    LARGE,
    MINI,
    Compared,
    Contrast,
    Contrasts,
    Correlations,
    PerSite,
    Probed,
    Trained,
)
from tdu.experiments.experiment import Table, columns, with_band
from tdu.types import Estimate, Results


def tables(results: Results) -> dict[str, Table]:
    """Runs, D(t) and its excess at every step, what differs in which window, sizes per site, and what correlates."""
    trained = results.series_of(Trained)
    return {
        "made-of": [{"what": name, "is": value} for name, value in trained.made_of.items()],
        "runs": _table_of_runs(trained),
        "training": [
            {"N": n, "step": t, "loss": loss, "noise scale": noise}
            for n, losses, noises in zip(trained.n_sites, trained.loss, trained.noise_scale, strict=True)
            for t, loss, noise in zip(trained.step, losses, noises, strict=True)
        ],
        "dimension": [row for series in results.all_of(Probed) for row in _table_over_steps(series)],
        "differences": [
            row
            for series in results.all_of(Compared)
            for row in columns(
                what=[f"{series.one} − {series.other}"] * series.step.size, step=series.step, **with_band(series.difference)
            )
        ],
        **_tables_of_contrasts(results.all_of(Contrasts)),
        "per-site": [
            {"log": series.log, "field": field, "window": window, "N": n, "mean size / N": share}
            for series in results.all_of(PerSite)
            for field, of_windows in series.shares.items()
            for window, shares in of_windows.items()
            for n, share in zip(series.n_sites, shares, strict=True)
        ],
        "correlations": [
            {"what": one.what, **{key: value for name, found in one.found.items() for key, value in _ends(found, name).items()}}
            for one in results.series_of(Correlations).rows
        ],
        **char_lm_rook.tables(results.all_of(char_lm_rook.Arranged)),
        **char_lm_held_out.tables(results.all_of(char_lm_held_out.Watched), results.series_of(char_lm_held_out.BesideHeldOut)),
    }


def _table_of_runs(found: Trained) -> Table:
    return columns(
        width=found.width,
        N=found.n_sites,
        runs=found.runs,
        **{f"loss at step {found.step[at]}": found.loss[:, at] for at in (0, -1)},
        **{f"noise scale, {window}": noise for window, noise in found.noise_in_windows.items() if window != ALL},
        **{f"capped, {name} (%)": found.capped[name] for name in (MINI, LARGE, DIFFERENCE)},
    )


def _table_over_steps(found: Probed) -> Table:
    values = {key: value for field, band in found.bands.items() for key, value in with_band(band, field).items()}
    for null, band in found.excess.items():
        values |= with_band(band, f"excess over {null}")
    return columns(log=[found.log] * found.step.size, step=found.step, **values, **{"R² of real": found.bands["real"].r2})


def _tables_of_contrasts(found: list[Contrasts]) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for one in found:
        tables.setdefault(one.table, []).extend(map(_table_row, one.rows))
    return tables


def _table_row(found: Contrast) -> dict[str, object]:
    words = higher_or_lower(found.found) if " − " in found.what else beside_one(found.found)
    return {"what": f"{found.what}, {found.window}", **_ends(found.found, "value"), "p": _as_read(found.p), "words": words}


def _as_read(p: float | None) -> str:
    """To three decimals; of two thousand permutations none may be as large, which is not 0."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _ends(found: Estimate, name: str) -> dict[str, object]:
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}
