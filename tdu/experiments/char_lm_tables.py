"""The tables of the study of small language models."""

from tdu.analysis.alignment import beside_one, higher_or_lower
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
        "dimension": [row for of in results.all_of(Probed) for row in _table_over_steps(of)],
        "differences": [
            row
            for of in results.all_of(Compared)
            for row in columns(what=[f"{of.one} − {of.other}"] * of.step.size, step=of.step, **with_band(of.difference))
        ],
        **_tables_of_contrasts(results.all_of(Contrasts)),
        "per-site": [
            {"log": of.log, "field": field, "window": window, "N": n, "mean size / N": share}
            for of in results.all_of(PerSite)
            for field, of_windows in of.shares.items()
            for window, shares in of_windows.items()
            for n, share in zip(of.n_sites, shares, strict=True)
        ],
        "correlations": [
            {"what": one.what, **{key: value for name, found in one.found.items() for key, value in _ends(found, name).items()}}
            for one in results.series_of(Correlations).rows
        ],
    }


def _table_of_runs(of: Trained) -> Table:
    return columns(
        width=of.width,
        N=of.n_sites,
        runs=of.runs,
        **{f"loss at step {of.step[at]}": of.loss[:, at] for at in (0, -1)},
        **{f"noise scale, {window}": noise for window, noise in of.noise_in_windows.items() if window != ALL},
        **{f"capped, {name} (%)": of.capped[name] for name in (MINI, LARGE, DIFFERENCE)},
    )


def _table_over_steps(of: Probed) -> Table:
    values = {key: value for field, band in of.bands.items() for key, value in with_band(band, field).items()}
    for null, band in of.excess.items():
        values |= with_band(band, f"excess over {null}")
    return columns(log=[of.log] * of.step.size, step=of.step, **values, **{"R² of real": of.bands["real"].r2})


def _tables_of_contrasts(found: list[Contrasts]) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for of in found:
        tables.setdefault(of.table, []).extend(map(_table_row, of.rows))
    return tables


def _table_row(of: Contrast) -> dict[str, object]:
    words = higher_or_lower(of.found) if " − " in of.what else beside_one(of.found)
    return {"what": f"{of.what}, {of.window}", **_ends(of.found, "value"), "p": _as_read(of.p), "words": words}


def _as_read(p: float | None) -> str:
    """To three decimals; of two thousand permutations none may be as large, which is not 0."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _ends(found: Estimate, name: str) -> dict[str, object]:
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}
