"""The cache of compiled kernels: damaged, unwritable, full, somebody else's."""

import os
import pickle
import stat
import subprocess
import sys

import pytest
from numba import njit

from tdu import _cache, _jit

pytestmark = pytest.mark.compiled


def added(x):
    """Something that compiles fast."""
    return x + 1


def compiled(directory, monkeypatch):
    """A kernel whose code is kept there, as `tdu._jit` makes them; numba reads its own setting while decorating."""
    from numba.core import config

    monkeypatch.setattr(config, "CACHE_DIR", str(directory))
    function = njit(added)
    function._cache = _cache.VerifiedCache(added)
    return function


def files(directory):
    return {path.suffix: path for path in directory.rglob("*.nb?")}


def test_code_that_is_kept_is_read_again(tmp_path, monkeypatch):
    assert compiled(tmp_path, monkeypatch)(1) == 2
    again = compiled(tmp_path, monkeypatch)
    assert again(2) == 3
    assert sum(again.stats.cache_hits.values()) == 1


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_no_damage_is_read_and_the_kernel_is_compiled_again_with_a_word(tmp_path, monkeypatch, suffix):
    compiled(tmp_path, monkeypatch)(1)
    file = files(tmp_path)[suffix]
    whole = file.read_bytes()
    lengths = [0, 1, 31, 32, 33, len(whole) // 2, len(whole) - 33, len(whole) - 32, len(whole) - 1]
    changed = [
        bytes(byte ^ (at == place) for at, byte in enumerate(whole)) for place in (0, 20, len(whole) // 2, -1 % len(whole))
    ]
    for damaged in [*(whole[:length] for length in lengths), *changed, whole + b"\0"]:
        file.write_bytes(damaged)
        kernel = compiled(tmp_path, monkeypatch)
        with pytest.warns(UserWarning, match=rf"{suffix} is damaged: compiled again"):
            assert kernel(1) == 2
        assert not kernel.stats.cache_hits
        again = compiled(tmp_path, monkeypatch)  # what was mended is read without a word
        assert again(1) == 2
        assert again.stats.cache_hits


class Bomb:
    def __reduce__(self):
        return (os._exit, (99,))


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_file_that_we_have_not_written_is_not_run(tmp_path, monkeypatch, suffix):
    compiled(tmp_path, monkeypatch)(1)
    files(tmp_path)[suffix].write_bytes(pickle.dumps(Bomb()))
    with pytest.warns(UserWarning, match="is damaged"):
        assert compiled(tmp_path, monkeypatch)(1) == 2


def test_a_file_that_cannot_be_read_is_one_word(tmp_path, monkeypatch):
    compiled(tmp_path, monkeypatch)(1)
    index = files(tmp_path)[".nbi"]
    index.unlink()
    index.mkdir()
    with (
        pytest.warns(UserWarning, match=r"nbi cannot be read \(Is a directory\): compiled again"),
        pytest.warns(UserWarning, match="cannot be kept in .*: Is a directory"),
    ):
        assert compiled(tmp_path, monkeypatch)(1) == 2


def test_where_nothing_can_be_kept_kernels_are_compiled_all_the_same(tmp_path, monkeypatch):
    kernel = compiled(tmp_path, monkeypatch)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_cache._VerifiedFiles, "save", full)
    with pytest.warns(UserWarning, match="compiled kernels cannot be kept in .*: No space left on device"):
        assert kernel(1) == 2


def test_a_cache_that_may_not_be_looked_into_is_cold(tmp_path, monkeypatch):
    """A process that gives up its rights after it has chosen its cache, as daemons do."""
    cache = tmp_path / "closed" / "code"
    cache.mkdir(parents=True)
    (cache / "kernel.nbc").touch()
    monkeypatch.setattr(_jit, "_CACHE", cache)
    assert not _jit.cache_is_cold()
    cache.parent.chmod(0)
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()  # modes mean nothing to root
    me = os.geteuid()
    os.seteuid(nobody)
    try:
        assert _jit.cache_is_cold()
    finally:
        os.seteuid(me)
        cache.parent.chmod(0o700)


# Whose directory it is


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Two caches of this user: the one that is asked for, and the one at home."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "asked"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "asked", tmp_path / "home" / ".cache"


def test_a_cache_is_made_for_its_user_alone(caches):
    before = os.umask(0)
    try:
        assert _cache.private_directory("code") == caches[0] / "tdu" / "code"
    finally:
        os.umask(before)
    for made in (caches[0], caches[0] / "tdu", caches[0] / "tdu" / "code"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


@pytest.mark.parametrize("which", ["tdu", "tdu/code"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_directory_that_others_can_write_is_refused_for_a_private_one(caches, which, mode):
    asked, home = caches
    assert _cache.private_directory("code") == asked / "tdu" / "code"
    (asked / which).chmod(mode)
    with pytest.warns(UserWarning, match=rf"{which} can be written by others \(mode {mode:o}\): .* neither read nor kept"):
        assert _cache.private_directory("code") == home / "tdu" / "code"


@pytest.mark.parametrize(("mode", "is_fine"), [(0o1777, True), (0o755, True), (0o775, True), (0o777, False)])
def test_the_place_that_caches_are_in_may_be_anybodys_if_it_is_sticky(caches, mode, is_fine):
    asked, home = caches
    asked.mkdir()
    asked.chmod(mode)
    if is_fine:
        assert _cache.private_directory("code") == asked / "tdu" / "code"
        return
    with pytest.warns(UserWarning, match="asked can be written by others"):
        assert _cache.private_directory("code") == home / "tdu" / "code"


def test_a_directory_of_somebody_else_is_refused(caches, monkeypatch):
    asked, _ = caches
    assert _cache.private_directory("code") == asked / "tdu" / "code"
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(_cache, "_roots", lambda: iter([asked]))
    with pytest.warns(UserWarning, match=rf"tdu belongs to another user \({me}, not {me + 1}\)"):
        assert _cache.private_directory("code") is None


def test_a_command_says_in_one_line_whose_cache_it_does_not_use(caches):
    """The whole way: a planted pickle in a shared directory is not run, and the command does its work."""
    asked, home = caches
    code = "import sys; from tdu import _jit; print(_jit.cache_directory())"
    run = [sys.executable, "-W", "always", "-c", code]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.startswith(str(asked))
    (asked / "tdu").chmod(0o777)
    refused = subprocess.run(run, capture_output=True, text=True, check=True)
    assert refused.stdout.startswith(str(home))
    assert "can be written by others (mode 777)" in refused.stderr
