"""Gradients of PyTorch by every way in: each file format, and the recorder in the loop, give one log and one D(t)."""

import numpy as np
import pytest
from click.testing import CliRunner

import tdu
from tdu.cli import main

pytestmark = pytest.mark.torch
WIDTHS, SEEDS, STEPS = (8, 16, 32, 64), range(4), range(0, 6, 2)
WAYS = ("npz", "safetensors", "pt")


def trained(folder, width, seed, record):
    """A small network on random data; its gradients in every format, rounded to bfloat16 as well, and handed to `record`."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    layers = [torch.nn.Linear(10, width), torch.nn.Tanh(), torch.nn.Linear(width, width), torch.nn.Linear(width, 1)]
    model = torch.nn.Sequential(*layers)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    x = torch.randn(64, 10)
    y = x[:, :1] * x[:, 1:2]
    for step in range(max(STEPS) + 1):
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        if step in STEPS:
            gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
            stem = f"w{width}-s{seed}/{step:03}"
            for way in (*WAYS, "bf16"):
                (folder / way / f"w{width}-s{seed}").mkdir(parents=True, exist_ok=True)
            np.savez(folder / f"npz/{stem}.npz", **{name: g.numpy() for name, g in gradients.items()})
            save_file(gradients, folder / f"safetensors/{stem}.safetensors")
            torch.save(gradients, folder / f"pt/{stem}.pt")
            rounded = {name: g.bfloat16() for name, g in gradients.items()}
            save_file(rounded, folder / f"bf16/{stem}.safetensors")
            torch.save(rounded, folder / f"bf16/{stem}.pt")
            record(step, {name: p.grad for name, p in model.named_parameters()}, loss=loss)
        optimiser.step()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch")
    for width in WIDTHS:
        for seed in SEEDS:
            with tdu.Probe(draws=2).record(folder / "recorded", scale=width, replicate=seed) as record:
                trained(folder, width, seed, record)
    return folder


def probed(folder, way, suffix, out, *options):
    pattern = f"{folder}/{way}/w{{scale}}-s{{replicate}}/{{step}}.{suffix}"
    result = CliRunner().invoke(main, ["probe", pattern, "--out", str(out), "--draws", "2", *options])
    assert result.exit_code == 0, result.output
    return tdu.load(out)


@pytest.mark.parametrize("way", WAYS)
def test_every_format_gives_the_log_of_the_recorder(folder, tmp_path, way):
    recorded, found = tdu.load(folder / "recorded"), probed(folder, way, way, tmp_path / "log")
    assert found.size.shape == (4, 4, 3)
    for name, values in found.columns.items():
        np.testing.assert_array_equal(values, recorded.columns[name], err_msg=name)
    for name, sizes in found.nulls.items():
        np.testing.assert_array_equal(sizes, recorded.nulls[name], err_msg=name)
    one, other = tdu.dimension_over_time(found), tdu.dimension_over_time(recorded)
    for name in ("value", "low", "high", "r2"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert tdu.excess(found, "blocks").window == tdu.excess(recorded, "blocks").window


def test_bfloat16_gives_the_sizes_of_the_rounded_field(folder, tmp_path):
    import torch

    logs = [probed(folder, "bf16", suffix, tmp_path / suffix, "--paper") for suffix in ("safetensors", "pt")]
    np.testing.assert_array_equal(logs[0].size, logs[1].size)
    with tdu.Probe.paper(draws=2).record(tmp_path / "rounded", scale=16, replicate=1) as record:
        for step in STEPS:
            whole = torch.load(folder / f"pt/w16-s1/{step:03}.pt")
            record(step, {name: g.bfloat16() for name, g in whole.items()})
            rounded = {name: g.bfloat16().float().numpy() for name, g in sorted(whole.items())}
            field = np.concatenate([g.ravel() for g in rounded.values()]).astype(np.float64)
            threshold = logs[0].columns["threshold"][1, 1, list(STEPS).index(step)]
            assert threshold == pytest.approx(np.quantile(np.abs(field), 0.9), rel=1e-12)
    np.testing.assert_array_equal(tdu.load(tmp_path / "rounded").size[0, 0], logs[0].size[1, 1])
