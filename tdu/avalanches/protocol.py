"""What a probe measures where nobody says it: the protocol of docs/what-d-measures.md, or what the paper measures."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tdu.avalanches.graphs import Graph
from tdu.config import GRAPHS
from tdu.types import Layout


@dataclass(frozen=True)
class Choices:
    """The settings of a `tdu.Probe` that depend on what is known of the field: `chosen` makes them."""

    graph: str | Graph
    ranked: bool
    edges: bool
    nulls: tuple[str, ...]


#: Of fields whose tensors are known: points 3 to 5 of the protocol.
PROTOCOL = Choices("rook", ranked=True, edges=True, nulls=("blocks", "signs"))
#: The paper's graph and its field, beside the nulls that keep most of it.
PAPER = Choices(GRAPHS[0], ranked=False, edges=False, nulls=("permuted", "blocks"))
#: Of a field of which nothing is known but its entries, where `blocks` means nothing.
OF_ARRAYS = replace(PAPER, nulls=("permuted", "signs"))
#: What is said there.
UNKNOWN = (
    f"no matrix is known in the field: it is measured as the paper does, as it is and on the graph `{OF_ARRAYS.graph}`; give "
    f"tensors with their names, which are measured on `{PROTOCOL.graph}`, or name a graph"
)


def chosen(
    layouts: Iterable[Layout],
    graph: str | Graph | None = None,
    ranked: bool | None = None,
    edges: bool | None = None,
    nulls: tuple[str, ...] | None = None,
) -> Choices:
    """What is measured of fields of these layouts: what is said, and for the rest the default.

    That is `PROTOCOL` where each layout has a matrix, `OF_ARRAYS` where one has none. On a graph that is named it is `PAPER`,
    whatever the layouts: the field as it is.

    Examples
    --------
    >>> from tdu.avalanches.protocol import chosen
    >>> layout = tdu.types.Layout.of({"weight": (8, 5), "bias": (8,)})
    >>> chosen([layout], nulls=("signs",))
    Choices(graph='rook', ranked=True, edges=True, nulls=('signs',))
    >>> chosen([layout], "ba") == chosen([], "ba")
    True
    """
    default = PAPER if graph is not None else PROTOCOL if all(map(_has_matrix, layouts)) else OF_ARRAYS
    return Choices(
        default.graph if graph is None else graph,
        default.ranked if ranked is None else ranked,
        default.edges if edges is None else edges,
        default.nulls if nulls is None else nulls,
    )


def word_on(named: str | Graph | None, choices: Choices) -> str | None:
    """What is to be said where no graph was named, and the choices are not the protocol's."""
    return UNKNOWN if named is None and choices.graph != PROTOCOL.graph else None


def _has_matrix(layout: Layout) -> bool:
    return layout.sizes is not None and any(sum(n > 1 for n in shape) > 1 for _, shape in layout.tensors)
