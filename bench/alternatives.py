"""What a user would otherwise pick: the same probe, threshold and avalanche, in NumPy, SciPy, networkx, PyTorch and C.

Each `probe(work)` gives the topplings over all fields of a workload, so that the ways can be held against each other.
"""

import ctypes
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tdu.avalanches.tuning import sites_from_which_bins_pay, sites_up_to_which_branches_pay
from tdu.config import ALPHA, MAX_STEPS, QUANTILE

SOURCE = Path(__file__).with_name("reference.c")


def keep_memory():
    """Have the C library keep what is freed for the next who asks, where it is glibc.

    Otherwise every large array is mapped anew, and how long that takes depends on what the machine did before.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        library.mallopt(trim_threshold, -1)
        library.mallopt(mmap_max, 0)


class C:
    """reference.c, compiled for this machine."""

    def __init__(self, directory):
        shared = Path(directory) / "reference.so"
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, "-o", str(shared), str(SOURCE), "-lm"], check=True)
        self.compiled = ctypes.CDLL(str(shared))
        ctypes.c_int64.in_dll(self.compiled, "few_sites").value = sites_up_to_which_branches_pay()
        ctypes.c_int64.in_dll(self.compiled, "bins_from").value = int(min(sites_from_which_bins_pay(), np.iinfo(np.int64).max))
        self.compiled.stream.restype = self.compiled.arithmetic.restype = ctypes.c_double

    def _probe(self, function, fields, graph):
        sizes = np.empty(len(fields), np.int64)
        n = fields.shape[1]
        function(
            _pointer(fields), ctypes.c_int64(len(fields)), _pointer(graph.begins), _pointer(graph.targets), ctypes.c_int64(n),
            ctypes.c_double(ALPHA), ctypes.c_double(QUANTILE), ctypes.c_int64(MAX_STEPS), _pointer(sizes),
        )  # fmt: skip
        return int(sizes.sum())

    def best(self, work):
        """The best C we could write."""
        return self._probe(self.compiled.probe, work.fields, work.graph)

    def plain(self, work):
        """The first thing to write."""
        return self._probe(self.compiled.probe_plain, work.fields, work.graph)

    def best_on_two_threads(self, work):
        """`best`, half of the fields a thread."""
        with ThreadPoolExecutor(2) as executor:
            parts = np.array_split(work.fields, 2)
            return sum(executor.map(lambda part: self._probe(self.compiled.probe, part, work.graph), parts))

    def random_adds(self, field, places):
        """Add 1 at every one of `places`."""
        self.compiled.random_adds(_pointer(field), _pointer(places), ctypes.c_int64(places.size))

    def stream(self, field, times):
        """Read a field from end to end, so many times."""
        self.compiled.stream(_pointer(field), ctypes.c_int64(field.size), ctypes.c_int64(times))

    def arithmetic(self, times):
        """Nothing that touches memory."""
        self.compiled.arithmetic(ctypes.c_int64(times))

    def train(self, config, hidden, replicate, with_gini=True):
        """One in-line run of the study, as `tdu.training.xor.run_of_study` makes it; loss and sizes."""
        from tdu.avalanches.graphs import barabasi_albert
        from tdu.models import mlp
        from tdu.rng import Stage, derived_seed, generator
        from tdu.training.xor import PATTERNS, TARGETS

        theta = mlp.initial_parameters(hidden, generator(config.seed, Stage.PARAMETERS, hidden, replicate))
        graph = barabasi_albert(theta.size, seed=derived_seed(config.seed, Stage.GRAPH, hidden, replicate))
        loss, accuracy, gini = (np.empty(config.epochs + 1) for _ in range(3))
        sizes = np.empty(config.epochs // config.snapshot_every + 1, np.int64)
        angles = np.empty(sizes.size)
        real, whole = ctypes.c_double, ctypes.c_int64
        recorded = (_pointer(array) for array in (loss, accuracy, gini if with_gini else None, sizes, angles))
        self.compiled.train(
            _pointer(theta), whole(hidden), _pointer(PATTERNS["binary"]), _pointer(TARGETS), real(config.learning_rate),
            _pointer(graph.begins), _pointer(graph.targets), real(config.alpha), real(config.quantile), whole(config.max_steps),
            whole(config.snapshot_every), whole(config.epochs), *recorded,
        )  # fmt: skip
        return loss, sizes


def _pointer(array):
    return None if array is None else array.ctypes.data_as(ctypes.c_void_p)


def _threshold(field):
    return np.quantile(np.abs(field), QUANTILE)


def numpy_add_at(work):
    """Synchronous steps with `np.add.at` over the rows of active sites."""
    graph, total = work.graph, 0
    degree = graph.degree
    for field in work.fields:
        field, threshold = field.copy(), _threshold(field)
        for _ in range(MAX_STEPS):
            active = np.flatnonzero(np.abs(field) > threshold)
            if active.size == 0:
                break
            given = ALPHA * field[active]
            field[active] -= given
            of_active = degree[active]
            first = np.repeat(graph.indptr[active] - np.concatenate([[0], np.cumsum(of_active)[:-1]]), of_active)
            shares = np.repeat(given / np.maximum(of_active, 1), of_active)
            np.add.at(field, graph.indices[first + np.arange(shares.size)], shares)
            total += active.size
    return total


def scipy_sparse(work):
    """Synchronous steps as products with the sparse adjacency matrix."""
    from scipy.sparse import csr_array

    graph, total = work.graph, 0
    n = len(graph)
    adjacency = csr_array((np.ones(graph.indices.size), graph.indices, graph.indptr), shape=(n, n))
    inverse = 1 / np.maximum(graph.degree, 1)
    for field in work.fields:
        field, threshold = field.copy(), _threshold(field)
        for _ in range(MAX_STEPS):
            active = np.abs(field) > threshold
            if not active.any():
                break
            given = np.where(active, ALPHA * field, 0.0)
            field += adjacency @ (given * inverse) - given
            total += int(active.sum())
    return total


def networkx_loop(work):
    """A networkx graph and a Python loop: how the rule reads."""
    import networkx

    rows = np.split(work.graph.indices, work.graph.indptr[1:-1])
    graph = networkx.Graph((i, int(j)) for i, row in enumerate(rows) for j in row)
    return sum(relax_on_networkx(graph, field.tolist(), float(_threshold(field)))[1] for field in work.fields)


def relax_on_networkx(graph, field, threshold):
    """The relaxed field and the size of one avalanche."""
    size = 0
    for _ in range(MAX_STEPS):
        active = [i for i, value in enumerate(field) if abs(value) > threshold]
        if not active:
            break
        size += len(active)
        shares = [ALPHA * field[i] for i in active]
        for i, given in zip(active, shares, strict=True):
            field[i] -= given
        for i, given in zip(active, shares, strict=True):
            for j in graph.neighbors(i):
                field[j] += given / graph.degree(i)
    return field, size


def torch_index_add(work):
    """Synchronous steps with PyTorch's `index_add_`."""
    import torch

    graph, total = work.graph, 0
    indices = torch.from_numpy(graph.indices.astype(np.int64))
    indptr, degree = torch.from_numpy(graph.indptr.copy()), torch.from_numpy(graph.degree)
    for values in work.fields:
        field, threshold = torch.from_numpy(values.copy()), float(_threshold(values))
        for _ in range(MAX_STEPS):
            active = torch.nonzero(field.abs() > threshold).ravel()
            if active.numel() == 0:
                break
            given = ALPHA * field[active]
            field[active] -= given
            of_active = degree[active]
            first = torch.repeat_interleave(indptr[active] - torch.cumsum(of_active, 0) + of_active, of_active)
            shares = torch.repeat_interleave(given / of_active, of_active)
            field.index_add_(0, indices[first + torch.arange(shares.numel())], shares)
            total += active.numel()
    return total


def train_torch_networkx(config, hidden):
    """Seconds of one run as one would write it: PyTorch for the network, networkx for the avalanche.

    Recorded, as by `C.train`: loss, accuracy, size, and the angle by which the avalanche turns the gradient.
    """
    import time

    import networkx
    import torch

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 1))
    inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    parameters = list(model.parameters())
    graph = networkx.barabasi_albert_graph(sum(p.numel() for p in parameters), 2, seed=0)
    recorded = []
    begun = time.perf_counter()
    for _ in range(config.epochs + 1):
        logits = model(inputs)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
        accuracy = ((logits > 0) == (targets > 0.5)).double().mean()
        model.zero_grad()
        loss.backward()
        gradient = torch.cat([p.grad.ravel() for p in parameters])
        threshold = float(torch.quantile(gradient.abs(), QUANTILE))
        values, size = relax_on_networkx(graph, gradient.tolist(), threshold)
        relaxed = torch.tensor(values)
        angle = torch.acos(torch.nn.functional.cosine_similarity(gradient, relaxed, dim=0))
        recorded.append((loss.item(), accuracy.item(), size, angle.item()))
        torch.nn.utils.vector_to_parameters(
            torch.nn.utils.parameters_to_vector(parameters).detach() - config.learning_rate * relaxed, parameters
        )
    return time.perf_counter() - begun


def torch_transformer(task, width, heads, learning_rate, weight_decay):
    """An epoch a call of the transformer of `tdu.models.networks` in eager PyTorch; queries and MLP at the last position."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(task.n_tokens + 1, width), nn.Embedding(task.tokens.shape[1] + 1, width)
            self.query, self.key, self.value, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.unembedding = nn.Linear(width, task.n_classes, bias=False)

        def by_head(self, x):
            return x.view(*x.shape[:2], heads, -1).transpose(1, 2)

        def forward(self, sequences):
            x = self.tokens(sequences) + self.positions.weight
            query, key, value = self.query(x[:, -1:]), self.key(x), self.value(x)
            mixed = functional.scaled_dot_product_attention(self.by_head(query), self.by_head(key), self.by_head(value))
            x = x[:, -1] + self.output(mixed.transpose(1, 2).reshape(len(x), width))
            return self.unembedding(x + self.down(functional.relu(self.up(x))))

    model = Transformer().to(torch.float32)
    tokens = task.tokens[task.train]
    readout = np.full((len(tokens), 1), task.n_tokens)
    sequences = torch.from_numpy(np.concatenate([tokens, readout], axis=1).astype(np.int64))
    answers = torch.from_numpy(task.answers[task.train])
    optimiser = torch.optim.AdamW(model.parameters(), learning_rate, (0.9, 0.98), weight_decay=weight_decay)

    def epoch(threads):
        torch.set_num_threads(threads)
        optimiser.zero_grad()
        functional.cross_entropy(model(sequences), answers).backward()
        optimiser.step()

    return epoch
