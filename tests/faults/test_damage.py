"""Every byte flipped and every length cut, of every kind of file: what is read is right, or one error that names the file.

A sample here; `make torture` takes all bytes and all lengths.
"""

import warnings

import numpy as np
import pytest

from tdu.errors import InputError
from tests.faults.foreign import FOREIGN
from tests.faults.kinds import KINDS, content

RIGHT, REFUSED, WRONG = "right", "refused", "wrong"


def outcome(kind, path, damaged, wanted):
    """What comes of a file's `damaged` bytes; None for `wanted` where any value may be read, since nobody can tell."""
    path.unlink(missing_ok=True)  # to cut a file that is there and write it anew is flushed to the disk by some systems
    path.write_bytes(damaged)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a file without a checksum says so
            found = content(kind.read(path))
    except InputError as error:
        said = str(error)
        assert path.name in said or path.parent.name in said, said
        assert "\n" not in said.strip(), said
        return REFUSED
    return RIGHT if wanted is None or found == wanted else WRONG


def attacked(kind, tmp_path, wanted, flips, cuts):
    """Outcomes by their number, of so many flipped bytes and lengths, or of each byte, in one bit, and each length."""
    path = kind.write(tmp_path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    places = range(len(whole)) if flips is None else rng.choice(len(whole), min(flips, len(whole)), replace=False).tolist()
    bits = [8 * place + int(rng.integers(8)) for place in places]
    lengths = range(len(whole)) if cuts is None else rng.integers(len(whole), size=cuts).tolist()
    counts = {RIGHT: 0, REFUSED: 0, WRONG: 0}
    for bit in bits:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        counts[outcome(kind, path, bytes(damaged), wanted)] += 1
    for length in lengths:
        counts[outcome(kind, path, whole[:length], wanted)] += 1
    return counts


_FLIPS, _CUTS = 200, 40


@pytest.mark.parametrize("name", KINDS)
def test_of_what_has_a_checksum_nothing_wrong_is_read(name, tmp_path):
    kind = KINDS[name]
    wanted = content(kind.read(kind.write(tmp_path)))
    counts = attacked(kind, tmp_path, wanted, _FLIPS, _CUTS)
    assert counts[WRONG] == 0
    assert counts[REFUSED] > 0.5 * sum(counts.values())  # the others are bytes between values, as spaces of JSON


@pytest.mark.parametrize("name", FOREIGN)
def test_of_what_others_wrote_damage_is_an_error_that_names_the_file_or_another_value(name, tmp_path):
    counts = attacked(FOREIGN[name], tmp_path, None, _FLIPS, _CUTS)
    assert counts[REFUSED] > 0


@pytest.mark.parametrize("name", KINDS)
def test_what_is_whole_is_read_without_a_word(name, tmp_path):
    KINDS[name].read(KINDS[name].write(tmp_path))


@pytest.mark.parametrize("name", ["manifest of a log", "results"])
def test_json_of_older_versions_is_read_with_one_word(name, tmp_path):
    kind = KINDS[name]
    path = kind.write(tmp_path)
    wanted = content(kind.read(path))
    lines = path.read_text().splitlines()
    assert lines.pop(-2).startswith('  "sha256"')
    path.write_text("\n".join([*lines[:-2], lines[-2].rstrip(","), lines[-1]]))
    with pytest.warns(UserWarning, match=rf"{path.name} has no checksum: it is read unverified") as said:
        assert content(kind.read(path)) == wanted
    assert len(said) == 1


def test_tables_of_older_versions_are_read_with_one_word(tmp_path):
    kind = KINDS["table"]
    path = kind.write(tmp_path)
    wanted = content(kind.read(path))
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.warns(UserWarning, match="has no checksum"):
        assert content(kind.read(path)) == wanted


def test_a_table_that_is_not_of_its_folder_is_named(tmp_path):
    kind = KINDS["table"]
    path = kind.write(tmp_path)
    path.with_name("stray.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"stray\.csv is not the table that was written"):
        kind.read(path)


def test_numpy_reads_saved_gradients_as_if_nothing_stood_behind(tmp_path):
    path = KINDS["saved gradients"].write(tmp_path)
    wanted = np.arange(7.0) + np.arange(3)[:, None]
    for mode in (None, "r"):
        np.testing.assert_array_equal(np.load(path, mmap_mode=mode), wanted)
