"""docs/render.py as a module."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parent.parent
_SPEC = spec_from_file_location("render", ROOT / "docs" / "render.py")
render = module_from_spec(_SPEC)
_SPEC.loader.exec_module(render)
