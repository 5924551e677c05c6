"""docs/render.py as a module, and the experiments whose data its pages wait for."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_SPEC = spec_from_file_location("render", ROOT / "docs" / "render.py")
render = module_from_spec(_SPEC)
_SPEC.loader.exec_module(render)


def awaits_no_data(question):
    """Skip what compares the page of a question with data that are still to be made."""
    return pytest.mark.skipif(question in render.AWAITED, reason=f"{question}: {render.AWAITED.get(question)}")
