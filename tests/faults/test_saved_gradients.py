"""`tdu grok --save-gradients`: taken away, damaged or cut short between two commands, and after a kill at any moment."""

import os

import numpy as np
import pytest

import tdu
from tdu.errors import InputError
from tdu.files import read_fields
from tdu.training import loop, network

CONFIG = tdu.NetworkConfig(modulus=5, width=4, epochs=6, snapshot_every=2)


class Killed(BaseException):
    """As a signal that nobody catches."""


def trained(path):
    tdu.train_network(CONFIG, path, save_gradients=True)
    return path / "state" / "s00004-r00-gradients.npy"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = trained(tmp_path_factory.mktemp("whole"))
    assert read_fields(path).any(axis=1).all()
    return path.read_bytes()


def killed(path, monkeypatch, at):
    """Killed in the update after epoch `at`, with the state kept at every epoch before."""
    monkeypatch.setattr(network, "_SAVE_SECONDS", -1.0)
    save, saved = loop.save_state, []

    def and_die(*arguments):
        save(*arguments)
        saved.append(1)
        if len(saved) == at:
            raise Killed

    monkeypatch.setattr(loop, "save_state", and_die)
    with pytest.raises(Killed):
        trained(path)
    monkeypatch.setattr(loop, "save_state", save)
    return path / "state" / "s00004-r00-gradients.npy.part"


@pytest.mark.parametrize("at", range(1, 8))
def test_a_killed_run_ends_in_the_same_file(at, tmp_path, monkeypatch, whole):
    killed(tmp_path, monkeypatch, at)
    assert trained(tmp_path).read_bytes() == whole
    assert trained(tmp_path).read_bytes() == whole  # once more


@pytest.mark.parametrize("how", ["gone", "cut", "flipped"])
def test_gradients_lost_between_are_not_made_up(how, tmp_path, monkeypatch):
    part = killed(tmp_path, monkeypatch, 3)
    damage(part, how)
    with pytest.raises(InputError, match=r"gradients\.npy\.part does not (exist|hold).*2 snapshots"):
        trained(tmp_path)


@pytest.mark.parametrize("how", ["gone", "cut", "flipped"])
def test_a_whole_file_that_is_lost_is_not_made_up(how, tmp_path):
    path = trained(tmp_path)
    damage(path, how)
    with pytest.raises(InputError, match=r"gradients\.npy.* does not (exist|hold).*4 snapshots"):
        trained(tmp_path)
    if how != "gone":
        with pytest.raises(InputError, match=r"gradients\.npy is not"):
            read_fields(path)


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "gone":
        os.unlink(path)
        return
    content[300] ^= 1
    path.write_bytes(content if how == "flipped" else content[:200])


def test_another_seed_does_not_mix_with_it(tmp_path):
    trained(tmp_path)
    other = tdu.NetworkConfig(modulus=5, width=4, epochs=6, snapshot_every=2, seed=1)
    with pytest.raises(InputError, match="seed = 0 there, 1 here"):
        tdu.train_network(other, tmp_path, save_gradients=True)


def test_files_of_older_versions_go_on_unverified(tmp_path, monkeypatch, whole):
    killed(tmp_path, monkeypatch, 3)
    (state,) = (tmp_path / "state").glob("*.npz")
    arrays, described = network.loop.read_arrays(state, "state")
    del described["gradients"]
    network.loop.write_arrays(state, arrays, described)
    with pytest.warns(UserWarning, match="has no checksum: it is read unverified"):
        path = trained(tmp_path)
    np.testing.assert_array_equal(np.load(path)[:, :5].shape, (4, 5))
    assert path.read_bytes() == whole
