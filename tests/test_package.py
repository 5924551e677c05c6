"""Promises about the package as a whole."""

import configparser
import json
import re
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import tdu

ROOT = Path(__file__).parent.parent


def test_no_module_is_longer_than_one_reads_at_a_sitting():
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "tdu").rglob("*.py")}
    assert not {name: length for name, length in lengths.items() if length > 300}


SIGNATURES = """
import sys, json, numpy as np, tdu, tdu.kernels, importlib, pkgutil
graph = tdu.ring(16)
field = np.linspace(-1, 1, 16)
for variant in (field, field.astype("f4"), field[::-1], field.tolist(), np.asfortranarray(field), np.arange(16)):
    tdu.avalanche(variant, graph)
    tdu.avalanche(variant, tdu.barabasi_albert(16), alpha=1, threshold=0, max_steps=np.int32(3))
for precision in sys.argv[1:]:
    probe = tdu.Probe(graph, draws=1, precision=precision).of_run(tdu.types.Layout.of({"w": (3, 5), "b": (1,)}))
    for variant in (field, field.astype("f4"), field.astype(">f8"), field.astype("f2")):
        tdu.avalanche(variant, graph, precision=precision)
        probe.snapshot(variant, 0)
tdu.train_xor(3, epochs=2)
tdu.train_xor(3, epochs=2, alpha=1, alpha_train=0, snapshot_every=1, learning_rate=1)
from tdu.models import mlp
mlp.loss_and_gradient([0] * 5, [[0, 1]], [1])
mlp.loss_and_gradient(np.zeros(9, "f4"), np.zeros((4, 2), order="F"), np.zeros(4, bool))
counts = {}
for info in pkgutil.iter_modules(tdu.kernels.__path__):
    for name, value in vars(importlib.import_module(f"tdu.kernels.{info.name}")).items():
        if hasattr(value, "signatures"):
            counts[name] = len(value.signatures)
print(json.dumps(counts))
"""


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("precisions", [["float64"], ["float64", "float32"]], ids=len)
def test_every_kernel_is_compiled_for_one_signature_and_those_of_fields_for_one_a_precision(precisions):
    result = subprocess.run([sys.executable, "-c", SIGNATURES, *precisions], capture_output=True, text=True, check=True)
    counts = json.loads(result.stdout)
    # a kernel that only other kernels call has none of its own when they come from the cache
    assert max(counts.values()) == len(precisions), counts
    of_fields = {"relax", "magnitude_quantile", "measure_sizes", "angle", "all_within"}
    assert all(counts[entry] == len(precisions) for entry in of_fields), counts
    assert all(counts[entry] == 1 for entry in ("train", "forward", "backward")), counts


def test_public_names_are_all_there():
    for name in tdu.__all__:
        assert getattr(tdu, name) is not None
    assert set(dir(tdu)) == set(tdu.__all__)
    with pytest.raises(AttributeError, match="module 'tdu' has no attribute 'grok'"):
        _ = tdu.grok


def setup():
    """setup.cfg, by section."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def lines(text):
    return text.strip().splitlines()


def test_the_version_is_that_of_setup_cfg_and_costs_no_import():
    code = "import sys, tdu; print(tdu.__version__); assert not {'numpy', 'numba', 'scipy', 'click'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == setup()["metadata"]["version"]


def test_sources_that_are_not_installed_say_that_they_have_no_version(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: (_ for _ in ()).throw(metadata.PackageNotFoundError(name)))
    with pytest.raises(AttributeError, match="not installed, which have no version: pip install"):
        _ = tdu.__version__


def versions(requirements, python):
    """The version that each package's requirement names for a Python; where several lines hold, the last."""
    parsed = [Requirement(line) for line in requirements]
    held = [line for line in parsed if line.marker is None or line.marker.evaluate({"python_version": python})]
    return {line.name: Version(next(iter(line.specifier)).version) for line in held}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_oldest_versions_that_are_tried_are_those_that_are_declared(python):
    declared = lines(setup()["options"]["install_requires"]) + lines(setup()["options.extras_require"]["test"])
    first_part, _, _ = (ROOT / "constraints-oldest.txt").read_text().partition("\n\n")
    tried = [line for line in lines(first_part) if not line.startswith("#")]
    assert versions(tried, python) == versions(declared, python)


def test_the_pythons_that_are_declared_are_those_that_are_tried():
    found = re.findall(r"Python :: 3\.(\d+)$", setup()["metadata"]["classifiers"], re.M)
    tried = re.findall(r"python3\.(\d+)", (ROOT / "scripts" / "test-pythons").read_text())
    assert found == tried[: len(found)]
    assert setup()["options"]["python_requires"] == f">=3.{found[0]}"


def files_of_the_project():
    """The files that git tracks, or in an unpacked source distribution those that it lists."""
    if (ROOT / ".git").exists():
        git = ["git", "-C", str(ROOT), "ls-files", "-z"]
        return set(subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip("\0").split("\0"))
    return {name for name in lines((ROOT / "tdu_ofc.egg-info" / "SOURCES.txt").read_text()) if ".egg-info/" not in name}


@pytest.mark.slow
def test_the_source_distribution_holds_every_file(tmp_path):
    files = files_of_the_project()
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    build = "from setuptools.build_meta import build_sdist; build_sdist('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, check=True)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        assert files <= {name.partition("/")[2] for name in sdist.getnames()}
