"""Arrays of other libraries, brought over by what they can do rather than by what they are: none is imported."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tdu.errors import InputError, InputTypeError


def as_tensors(gradients: Any) -> dict[str, npt.NDArray[np.generic]]:
    """A mapping of names to arrays, in order of the names; or one array under the name "", as nothing is known of its parts.

    The order of the names makes the field the same from whatever file or framework the tensors come.
    """
    if not isinstance(gradients, Mapping):
        try:
            array = as_numpy(gradients)
        except (ValueError, RuntimeError, InputTypeError) as error:
            if isinstance(error, InputError) and not isinstance(error, InputTypeError):
                raise
            raise InputTypeError(
                f"`gradients` must be a mapping of names to arrays, or one array, but it is a {type(gradients).__name__}"
            ) from None
        return {"": array.reshape(-1)}
    if not gradients:
        raise InputError("`gradients` is empty: give at least one named array")
    tensors = {str(name): as_numpy(gradients[name], str(name)) for name in sorted(gradients, key=str)}
    if len(tensors) < len(gradients):
        raise InputError("two names of `gradients` are the same as text: rename one of them")
    return tensors


def as_numpy(value: Any, name: str = "gradients") -> npt.NDArray[np.generic]:
    """An array of NumPy, PyTorch, JAX, CuPy, or of anything with ``__array__`` or ``__dlpack__``, as one of NumPy.

    Tensors that require gradients are detached, those of a device brought over, sharded ones gathered (which all processes of
    the group must do), sparse ones filled in; types that NumPy lacks, as bfloat16, become float32, which is exact.

    Raises
    ------
    TypeError
        If it is no array of real numbers.
    ValueError
        If there is none, as of a parameter that took no part in the loss.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in _REAL:
        return value
    if value is None:
        raise InputError(f"`{name}` is None, not a gradient: leave it out at every step, or give zeros")
    if hasattr(value, "detach"):
        array = _of_torch(value)
    elif hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):
        array = value.get()  # CuPy refuses to be brought over unasked
    elif hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        array = np.asarray(value)
    else:
        array = np.from_dlpack(value)
    if array.dtype.kind == "V" and array.dtype.names is None and array.dtype.name in _WIDENED:
        array = array.astype(np.float32)
    if array.dtype.kind not in _REAL:
        raise InputTypeError(f"`{name}` must hold real numbers, but its dtype is {array.dtype}")
    return np.asarray(array)


_REAL = "fiub"
#: Types of the package ml_dtypes, which JAX has its arrays from: NumPy counts them among those that it knows nothing of.
_WIDENED = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def _of_torch(tensor: Any) -> npt.NDArray[np.generic]:
    tensor = tensor.detach()
    if hasattr(tensor, "full_tensor"):
        tensor = tensor.full_tensor()
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided":
        tensor = tensor.to_dense()
    if any(name in str(tensor.dtype) for name in ("bfloat16", "float8")):
        tensor = tensor.float()
    return np.asarray(tensor.cpu().numpy())
