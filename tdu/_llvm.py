"""What Numba has no word for, in LLVM's: eight lanes, prefetches, the bits of a word; each with a stand-in in Python.

No compiler may change the order of a sum, so that a plain loop adds one number at a time. Here entry i belongs to lane i mod 8,
and each lane is added up by itself: an order that vectors keep, and thus the same bits on every processor. LLVM maps the
vectors, of eight float64, to whatever the processor has.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tdu._jit import CONFIG

LANES = 8
_EIGHT = ir.VectorType(ir.DoubleType(), LANES)


def _in_lanes(terms: Callable[..., tuple[Any, ...]], n_arrays: int, n_terms: int) -> Any:
    """The function of `n_arrays` arrays (n,) that adds up each of the `terms` of their entries: eight lanes a term.

    Whole eights of entries only; those of float32 become float64 first. `terms` is told how to multiply and to subtract:
    numbers, or vectors of LLVM's.
    """

    def in_python(*arrays: Any) -> tuple[tuple[float, ...], ...]:
        totals = [[0.0] * LANES for _ in range(n_terms)]
        for i in range(len(arrays[0]) // LANES * LANES):
            for total, term in zip(
                totals, terms(operator.mul, operator.sub, *(float(array[i]) for array in arrays)), strict=True
            ):
                total[i % LANES] += term
        return tuple(map(tuple, totals))

    def in_llvm(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value) for kind, value in zip(signature.args, arguments, strict=True)
        ]
        length = builder.extract_value(arrays[0].shape, 0)
        three = ir.Constant(length.type, 3)
        totals = [cgutils.alloca_once_value(builder, ir.Constant(_EIGHT, [0.0] * LANES)) for _ in range(n_terms)]
        with cgutils.for_range(builder, builder.lshr(length, three)) as loop:
            first = builder.shl(loop.index, three)
            eights = [
                _eight(builder, builder.gep(array.data, [first]), kind.dtype)
                for kind, array in zip(signature.args, arrays, strict=True)
            ]
            for total, term in zip(totals, terms(builder.fmul, builder.fsub, *eights), strict=True):
                builder.store(builder.fadd(builder.load(total), term), total)
        places = [ir.Constant(ir.IntType(32), lane) for lane in range(LANES)]
        lanes = [[builder.extract_element(found, place) for place in places] for found in map(builder.load, totals)]
        return context.make_tuple(builder, returned, [context.make_tuple(builder, a_term, each) for each in lanes])

    a_term = types.UniTuple(types.float64, LANES)
    returned = types.UniTuple(a_term, n_terms)
    if CONFIG.DISABLE_JIT:
        return in_python
    if n_arrays == 1:
        return intrinsic(lambda _typing, a: (returned(a), in_llvm))
    return intrinsic(lambda _typing, a, b: (returned(a, b), in_llvm))


def _eight(builder: Any, start: Any, kind: Any) -> Any:
    """The eight entries of a `kind` from `start` on, as float64."""
    if kind == types.float64:
        return builder.load(builder.bitcast(start, _EIGHT.as_pointer()), align=8)
    eight = ir.VectorType(ir.FloatType(), LANES)
    return builder.fpext(builder.load(builder.bitcast(start, eight.as_pointer()), align=4), _EIGHT)


sums = _in_lanes(lambda _mul, _sub, a: (a,), 1, 1)
sums_of_products = _in_lanes(lambda mul, _sub, a, b: (mul(a, b),), 2, 1)
#: Of a, of b, and of their difference.
sums_of_squares = _in_lanes(lambda mul, sub, a, b: (mul(a, a), mul(b, b), mul(sub(a, b), sub(a, b))), 2, 3)


def _bits(comparison: str, holds: Callable[[float, float], bool]) -> Any:
    """The function of an array, a place in it and a threshold that gives a bit for each of the 64 entries from there on.

    The first is the lowest; a bit is set where the magnitude of the entry compares with the threshold as asked.
    """

    def in_python(array: Any, first: Any, threshold: Any) -> Any:
        entries = enumerate(array[first : first + 64])
        return np.uint64(sum(holds(abs(float(entry)), float(threshold)) << bit for bit, entry in entries))

    def in_llvm(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, first, threshold = arguments
        number, place = ir.IntType(64), ir.IntType(32)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        magnitudes = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_EIGHT, [_EIGHT]), "llvm.fabs.v8f64")
        thresholds = ir.Constant(_EIGHT, ir.Undefined)
        for lane in range(LANES):
            thresholds = builder.insert_element(thresholds, threshold, ir.Constant(place, lane))
        word = ir.Constant(number, 0)
        for k in range(0, 64, LANES):
            start = builder.gep(data, [builder.add(first, ir.Constant(number, k))])
            eight = builder.call(magnitudes, [_eight(builder, start, signature.args[0].dtype)])
            byte = builder.bitcast(builder.fcmp_ordered(comparison, eight, thresholds), ir.IntType(LANES))
            word = builder.or_(word, builder.shl(builder.zext(byte, number), ir.Constant(number, k)))
        return word

    if CONFIG.DISABLE_JIT:
        return in_python
    return intrinsic(lambda _typing, array, _first, _threshold: (types.uint64(array, types.uint64, types.float64), in_llvm))


#: Bits of the entries ``array[first : first + 64]`` whose magnitude is above a threshold, or reaches it.
bits_above, bits_reaching = _bits(">", operator.gt), _bits(">=", operator.ge)


def _bit_count(word: Any) -> int:
    return int(word).bit_count()


def _rest(word: Any) -> Any:
    return word & (word - np.uint64(1)) if word else word


def _count_bits(_typing: Any, _word: Any) -> Any:
    return types.uint64(types.uint64), lambda _context, builder, _signature, arguments: builder.ctpop(arguments[0])


def _prefer_wide(_typing: Any) -> Any:
    def in_llvm(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # llvmlite knows no attribute that has a value
        return context.get_dummy_value()

    return types.void(), in_llvm


def _clear_lowest(_typing: Any, _word: Any) -> Any:
    one = ir.Constant(ir.IntType(64), 1)
    return types.uint64(types.uint64), lambda _context, builder, _signature, arguments: builder.and_(
        arguments[0], builder.sub(arguments[0], one)
    )


def _no_prefetch(_array: Any, _index: Any) -> None:
    pass


def _prefetching(write: int) -> Any:
    def in_llvm(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(function, [place, number(write), number(3), number(1)])
        return context.get_dummy_value()

    return intrinsic(lambda _typing, array, index: (types.void(array, types.uint64), in_llvm))


#: Bits that are set in a 64-bit word: an instruction in compiled kernels.
bit_count: Any = _bit_count if CONFIG.DISABLE_JIT else intrinsic(_count_bits)
#: A 64-bit word without the lowest of its bits that are set; 0 of 0.
rest: Any = _rest if CONFIG.DISABLE_JIT else intrinsic(_clear_lowest)
#: Have the loops of the kernel that calls it work on vectors of 512 bits where there are any. LLVM prefers 256 on processors of
#: Intel, some of which slow their clock down for a long run of wide ones.
wide: Any = (lambda: None) if CONFIG.DISABLE_JIT else intrinsic(_prefer_wide)
#: Have the entry ``array[index]`` on its way from memory, to be read or to be written; an index past the end does no harm.
prefetch: Any = _no_prefetch if CONFIG.DISABLE_JIT else _prefetching(0)
prefetch_write: Any = _no_prefetch if CONFIG.DISABLE_JIT else _prefetching(1)
