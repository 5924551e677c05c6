"""What comes before any verdict: what D is, what its statistics are, and what its nulls are, in a sentence each."""

from tdu.avalanches.nulls import MODELS
from tdu.config import GRAPHS, STRUCTURAL_GRAPHS, LogConfig, StudyConfig
from tdu.results.series import NullOverTime
from tdu.types import Results

#: What D is to be read as, by what the probe looks at; docs/what-d-measures.md shows it.
_OF_TAILS = (
    "it compares how heavy the tail of |g| is above the threshold at different sizes, and as the graph knows nothing of "
    "parameters, D ≠ 1 is no sign of how the gradient is arranged over them"
)
_OF_RANKS = (
    "magnitudes are by rank, the same distribution at every size, so that D of a field without arrangement is 1, and what "
    "arrangement adds is ε of each null, with an exponent only where it grows with the size"
)
_OF_BOTH = "the tail of |g| and the arrangement of g over the graph both count in it, and only nulls tell them apart"


#: A sentence as its subject and the rest.
Sentence = tuple[str, str]


def sentences(results: Results) -> tuple[Sentence, Sentence, Sentence]:
    """What D, its statistics and its nulls are in these results, in one sentence of plain text each."""
    return _dimension(results), _statistics(results), _nulls(results)


def _dimension(results: Results) -> Sentence:
    reading = _OF_TAILS
    if isinstance(config := results.config, LogConfig):
        ordinary = config.settings.get("graph", GRAPHS[0]) in set(GRAPHS) - set(STRUCTURAL_GRAPHS)
        reading = _OF_RANKS if config.settings.get("ranked") else _OF_TAILS if ordinary else _OF_BOTH
    return "D", (
        "is the slope, over fields g of N entries, of log s against log N, where s, the size of an avalanche, is how many "
        f"topplings a field makes on a graph: {reading}."
    )


def _statistics(results: Results) -> Sentence:
    config = results.config
    n_scales = len(
        config.scales if isinstance(config, LogConfig) else config.hidden if isinstance(config, StudyConfig) else config.widths
    )
    if config.replicates == 1:
        moved = f"; of one run of each of {n_scales} scales, it has no interval"
    else:
        moved = (
            ", and its 95 % interval how far other runs could move D, by resampling the runs, "
            f"at most {config.replicates}, of each of {n_scales} scales"
        )
        if results.pooled and results.scope:
            moved += f"; pooled over {results.scope.n_studies} studies, it is of their scatter"
    return "Its statistic", f"says which s stands for a scale, the mean over runs or the largest{moved}."


def _nulls(results: Results) -> Sentence:
    names = [one.null for one in results.all_of(NullOverTime)]
    if not names:
        return "Its nulls", (
            "would be the same fields with something in them destroyed, through the same probe: none was probed here, so that "
            "nothing tells what the arrangement of the entries makes of D."
        )
    kept = "; ".join(f"{name} keeps {MODELS[name].keeps}" if name in MODELS else name for name in names)
    imprint = ""
    if isinstance(results.config, StudyConfig) and results.config.alpha_train:
        imprint = "; here, where the relaxed field trains, the probe itself has written it into the weights"
    return "Its nulls", (
        f"are the same fields with something in them destroyed, through the same probe ({kept}): the excess of D over a null, "
        f"paired by run, is what D owes to what was destroyed, and may be nothing where its interval holds 0{imprint}."
    )
