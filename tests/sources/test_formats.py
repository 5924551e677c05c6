"""Files of tensors are read as their writers meant them, nothing in them is executed, and what is no such file is named."""

import contextlib
import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdu.errors import InputError
from tdu.sources.formats import FORMATS, open_tensors
from tests.sources.make_fixtures import HERE, expected

WHOLE = [f"{name}{suffix}" for name in ("f16", "bf16", "f32", "f64") for suffix in (".safetensors", ".pt")]


def read(path):
    return {name: one.read() for name, one in open_tensors(path).stored.items()}


@pytest.mark.parametrize("name", [*WHOLE, "model.safetensors.index.json"])
def test_a_file_gives_the_tensors_that_were_written(name):
    tensors, wanted = open_tensors(HERE / name), expected()
    assert list(tensors.stored) == sorted(wanted)
    dtype = {"f16": np.float16, "f64": np.float64}.get(name.partition(".")[0], np.float32)
    for key, one in tensors.stored.items():
        values = one.read()
        assert values.tolist() == wanted[key].tolist()
        assert one.shape == values.shape == wanted[key].shape
        assert one.dtype == values.dtype == dtype
    field = tensors.field()
    assert field.dtype == dtype
    assert field.tolist() == np.concatenate([wanted[key].ravel() for key in sorted(wanted)]).tolist()


def test_a_state_dict_gives_its_parameters_and_buffers_of_floats():
    tensors = read(HERE / "state_dict.pt")
    wanted = expected()
    assert tensors["0.weight"].tolist() == wanted["first.weight"].tolist()
    assert tensors["0.bias"].tolist() == wanted["first.bias"].tolist()
    assert {name: values.tolist() for name, values in tensors.items() if name.startswith("1.")} == {
        "1.weight": [1] * 3, "1.bias": [0] * 3, "1.running_mean": [0] * 3, "1.running_var": [1] * 3,
    }  # fmt: skip


def test_views_parameters_and_nested_names_come_back():
    tensors = read(HERE / "nested.pt")
    base, wanted = np.arange(20.0), expected()
    assert {name: values.tolist() for name, values in tensors.items()} == {
        "model.transposed": wanted["first.weight"].T.tolist(),
        "model.part": base[4:16:3].tolist(),
        "model.again": base[4:16].reshape(3, 4).tolist(),
        "parameter": wanted["first.bias"].tolist(),
        "repeated": [[2.5] * 3] * 2,
        "scalar": 1.5,
        "empty": [],
        "list.0": [1.0, 1.0],
    }
    assert tensors["empty"].shape == (0, 3)


def test_the_state_of_an_optimiser_is_left_out():
    assert list(read(HERE / "checkpoint.pt")) == ["model.0.bias", "model.0.weight"]


def test_one_tensor_alone_is_named_by_its_file():
    assert list(read(HERE / "alone.pt")) == ["alone"]
    assert read(HERE / "protocol_5.pt")["w"].tolist() == [1, 1]


def test_numpy_files_are_read_and_integers_left_out(tmp_path):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 4)), rng.normal(size=3).astype(">f4")
    np.savez(tmp_path / "a.npz", weight=weight, bias=bias, count=np.array([3]))
    np.savez_compressed(tmp_path / "b.npz", weight=weight, bias=bias)
    np.save(tmp_path / "c.npy", np.asfortranarray(weight))
    for name in ("a.npz", "b.npz"):
        tensors = open_tensors(tmp_path / name)
        assert tensors.layout.tensors == (("bias", (3,)), ("weight", (3, 4)))
        assert tensors.field().tolist() == [*bias.tolist(), *weight.ravel().tolist()]
    assert read(tmp_path / "c.npy")["c"].tolist() == weight.tolist()
    assert open_tensors(tmp_path / "c.npy").field().tolist() == weight.ravel().tolist()


def test_a_folder_is_all_of_its_files(tmp_path):
    np.save(tmp_path / "second.npy", np.ones(2))
    np.savez(tmp_path / "first.npz", weight=np.zeros(3))
    (tmp_path / "notes.txt").write_text("not of a known format")
    np.save(tmp_path / ".hidden.npy", np.ones(9))
    assert {name: values.tolist() for name, values in read(tmp_path).items()} == {
        "first.weight": [0, 0, 0],
        "second": [1, 1],
    }
    shards = tmp_path / "shards"
    shards.mkdir()
    for name in ("model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
        shutil.copy(HERE / name, shards)
    assert list(read(shards)) == sorted(expected())


def test_some_tensors_are_chosen_by_name():
    tensors = open_tensors(HERE / "f32.pt")
    assert list(tensors.chosen("weight").stored) == ["first.weight", "last.weight"]
    assert list(tensors.chosen("weight", "^last").stored) == ["first.weight"]
    assert list(tensors.chosen(exclude=r"\.weight$").stored) == ["first.bias"]
    with pytest.raises(InputError, match=r"`include` norm leave none of its tensors, first.bias, first.weight, last.weight"):
        tensors.chosen("norm")
    with pytest.raises(InputError, match="`exclude` '\\(' is no regular expression"):
        tensors.chosen(exclude="(")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("calls.pt", r"calls.pt wants to call `posix.system`, but nothing of a file is executed"),
        ("with_objects.pt", r"wants to call `argparse.Namespace`, .* save a dictionary of tensors and numbers alone"),
        ("legacy.pt", r"not a file of torch.save since version 1.6: load it with PyTorch, and save it again"),
        ("bf16.npy", r"`bf16` has dtype \|V2, bytes without a type, as NumPy writes bfloat16: save it as float32"),
    ],
)
def test_what_writers_make_and_cannot_be_read_is_named(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        open_tensors(HERE / name)
    assert not Path("executed").exists()


def _zip(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _header(tmp_path, header, behind=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + behind)
    return path


def _array(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


NEAR_MISSES = {
    "no such file": (lambda at: at / "a.npy", "does not exist"),
    "another suffix": (lambda at: _zip(at / "a.docx"), r"of no known format: tensors are read from .npy, .npz"),
    "an empty folder": (lambda at: at, "is a folder without tensors"),
    "a zip": (lambda at: _zip(at / "a.npz", word=b"x"), "is a zip archive, but holds no NumPy arrays: np.savez writes such"),
    "torch as npz": (lambda at: Path(shutil.copy(HERE / "f32.pt", at / "a.npz")), "it is one of torch.save: call it .pt"),
    "npz as torch": (lambda at: _zip(at / "a.pt", **{"w.npy": b""}), "it is one of NumPy: call it .npz"),
    "a zip as torch": (lambda at: _zip(at / "a.pt", word=b""), "not one of torch.save: it has no data.pkl"),
    "objects in npz": (
        lambda at: _zip(at / "a.npz", **{"w.npy": _array(np.array([1], object))}),
        "holds no tensor of floats",
    ),
    "bfloat16 in npz": (lambda at: _zip(at / "a.npz", **{"w.npy": _array(np.zeros(2, "V2"))}), r"`w` has dtype \|V2"),
    "integers": (lambda at: _zip(at / "a.npz", **{"w.npy": _array(np.arange(3))}), "holds no tensor of floats"),
    "complex": (lambda at: _zip(at / "a.npz", **{"w.npy": _array(np.ones(3) * 1j)}), "`w` is complex"),
    "text": (lambda at: _header(at, b"not json"), "is not a readable .safetensors file"),
    "a list": (lambda at: _header(at, []), "its header is no object"),
    "twice": (lambda at: _header(at, b'{"a": {}, "a": {}}'), "a name is there twice"),
    "no shape": (lambda at: _header(at, {"w": {"dtype": "F32"}}), "its header is damaged"),
    "negative": (lambda at: _header(at, {"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), "-1 is no count"),
    "cut short": (
        lambda at: _header(at, {"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}, b"1234"),
        r"`w` of F32 \[3\] is said to be in bytes 0 to 12 of 4: the file is cut short or damaged",
    ),
    "another size": (
        lambda at: _header(at, {"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 4]}}, b"1234"),
        "is said to be in bytes 0 to 4 of 4",
    ),
    "no header": (lambda at: _zip(at / "a.safetensors"), "do not hold the header they announce"),
    "an index of nothing": (lambda at: _written(at / "m.safetensors.index.json", "{}"), "is no index of shards"),
    "an index that leaves": (
        lambda at: _written(at / "m.safetensors.index.json", '{"weight_map": {"w": "../secret.safetensors"}}'),
        "`weight_map` must name files beside it",
    ),
    "a shard that is gone": (
        lambda at: _written(at / "m.safetensors.index.json", '{"weight_map": {"w": "gone.safetensors"}}'),
        "gone.safetensors does not exist",
    ),
}


def _written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("miss", NEAR_MISSES)
def test_a_near_miss_is_named(miss, tmp_path):
    make, message = NEAR_MISSES[miss]
    with pytest.raises(InputError, match=message):
        open_tensors(make(tmp_path))


def test_one_tensor_in_two_formats_is_not_read_twice(tmp_path):
    shutil.copy(HERE / "f32.pt", tmp_path / "pytorch_model.bin")
    shutil.copy(HERE / "f32.safetensors", tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"in model.safetensors and in pytorch_model.bin: name one of the files"):
        open_tensors(tmp_path)


def test_a_damaged_member_of_an_npz_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, w=np.arange(1000.0))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is not a readable .npz file: Bad CRC"):
        open_tensors(path).field()


def _program(tmp_path, program, data=b"\0" * 16):
    return _zip(tmp_path / "a.pt", **{"a/data.pkl": program, "a/data/0": data})


def _tensor(shape, strides, offset=0):
    """A pickle of one tensor of floats over storage 0."""
    numbers = b"".join(
        b"(" + b"".join(b"J" + n.to_bytes(4, "little", signed=True) for n in ns) + b"t" for ns in (shape, strides)
    )
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
    at = b"J" + offset.to_bytes(4, "little", signed=True)
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + at + numbers + b"\x89}tR."


def test_a_pickle_written_by_hand_is_read(tmp_path):
    data = np.array([1, 2, 3, 4], "<f4").tobytes()
    assert read(_program(tmp_path, _tensor((2, 2), (1, 2)), data))["a"].tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (_tensor((5,), (1,)), r"a tensor of shape \(5,\) reaches beyond its 4 entries"),
        (_tensor((4,), (1,), 1), "reaches beyond its 4 entries"),
        (_tensor((2,), (4,)), "reaches beyond its 4 entries"),
        (_tensor((1 << 30,), (0,)), "reaches beyond its 4 entries"),
        (_tensor((2,), (-1,), 3), "is none of a tensor"),
        (_tensor((2,), (1, 1)), "is none of a tensor"),
        (b"cos\nsystem\n(X\x01\0\0\0xtR.", "wants to call `os.system`"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.", "wants to call `os.system`"),
        (b"(S'x'\nios\nsystem\n.", "wants to call the instruction INST"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)\x81.", "wants to call the instruction NEWOBJ"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n}b.", "wants to call a method of _Global"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "wants to call 'tensor' in a way that is not known"),
        (b"]q\0(h\0e.", "is nested without end"),
        (b"X\x01\0\0\0x.", "holds no tensor of floats"),
        (b"}", "is not a readable file of torch.save"),
        (pickle.dumps(np.ones(3)), r"wants to call `numpy\..*reconstruct`"),
    ],
)
def test_a_pickle_that_is_no_dictionary_of_tensors_is_refused(program, message, tmp_path):
    with pytest.raises(InputError, match=message):
        open_tensors(_program(tmp_path, program))


def test_a_dictionary_that_doubles_at_each_level_ends(tmp_path):
    doubled = {"w": 1}
    for _ in range(40):
        doubled = {"a": doubled, "b": doubled}
    with pytest.raises(InputError, match="is nested without end"):
        open_tensors(_program(tmp_path, pickle.dumps(doubled, protocol=2)))


@pytest.mark.slow
@settings(max_examples=400)
@given(
    name=st.sampled_from([*WHOLE, "nested.pt", "state_dict.pt", "model.safetensors.index.json", "calls.pt"]),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=4),
    length=st.floats(0, 1),
)
def test_damaged_files_give_numbers_or_an_error_of_one_line(tmp_path_factory, name, flips, length):
    content = bytearray((HERE / name).read_bytes())
    for place, bit in flips:
        content[int(place * len(content))] ^= 1 << bit
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content[: round(length * len(content))])
    with contextlib.suppress(InputError):
        assert open_tensors(path).field().size < 1000
    assert not Path("executed").exists()


def test_every_format_has_its_line():
    assert list(FORMATS)[:4] == [".npy", ".npz", ".safetensors", ".pt"]
