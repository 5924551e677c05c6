"""Figures of one's own, a panel each: a log in, matplotlib's axes out, to be restyled and put beside others.

Each draws on the axes it is given, or on those of a new figure of pyplot, and hands further keywords on to matplotlib.
Nothing is shown or saved, and no style forced: colours and sizes are those of the user's rcParams and style sheets, inside
`style` those of the report, whose panels are drawn by the same functions.

In the examples `log` is of a training loop with three widths of network, as `tdu.load` gives it.
"""

from tdu.figures.axes import style
from tdu.figures.over_time import column, dimension, epsilon, excess, grokking, nulls, one_run, training
from tdu.figures.sizes import collapse, power_laws, profiles, scaling, tails

__all__ = [
    "collapse",
    "column",
    "dimension",
    "epsilon",
    "excess",
    "grokking",
    "nulls",
    "one_run",
    "power_laws",
    "profiles",
    "scaling",
    "style",
    "tails",
    "training",
]
