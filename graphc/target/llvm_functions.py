"""Elementary functions as LLVM functions of their own, for one number and for vectors.

A kernel calls the function for one number, `graphc.sin.f32`. Its declaration names the functions
for vectors, and where LLVM turns a loop to vectors it calls one of these, by the convention of
LLVM for vector functions (`vector-function-abi-variant`).

A call keeps no vector in its register, and the processor sees less of what comes after it. So,
where there are masks, a loop with calls works on two vectors at a time and ends with masked ones:
nothing is left for single numbers. On an AVX-512 processor kernels of more than 30 functions took
0.76 to 0.97 of the time that they take with the functions in place, those of 12 to 20 functions
0.7 to 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from llvmlite import binding, ir

from graphc.target import object_code, vmath
from graphc.target.llvm_arithmetic import FLOAT_TYPES, LlvmArithmetic
from graphc.target.outline import outlined, parse_symbol, symbol

# LLVM chooses among them.
LANES = (2, 4, 8, 16, 32)
_PURE = "nounwind willreturn nosync nofree speculatable memory(none)"
_VECTOR_BITS = 512
_KERNEL = re.compile(r"^(define void @[^\n]*\) nounwind)$", re.MULTILINE)
_LABEL = re.compile(r'"?([\w.$-]+)"?:')
_JUMP = re.compile(r'  br label %"?([\w.$-]+)"?$')
_CALL = re.compile(r'= call [^\n]*@"?graphc\.[a-z0-9_.]+\.f(\d+)"?\(')
_DECLARATION = re.compile(r'^declare [^\n]*@"?(graphc\.[a-z0-9_.]+)"?\([^\n]*$', re.MULTILINE)


def call(builder: Any, names: tuple[str, ...], width: int, *operands: Any) -> Any:
    """Emit a call: the first of these functions of numbers, computed with the others."""
    function = _declared(builder.module, tuple(sorted(names)), width)
    result = builder.call(function, operands)
    if len(names) == 1:
        return result
    return builder.extract_value(result, sorted(names).index(names[0]))


def _declared(module: Any, names: tuple[str, ...], width: int) -> Any:
    name = symbol(names, width)
    return module.globals.get(name) or ir.Function(module, _shape(names, width, 1), name)


def _shape(names: tuple[str, ...], width: int, lanes: int) -> ir.FunctionType:
    number = FLOAT_TYPES[width]
    if lanes > 1:
        number = ir.VectorType(number, lanes)
    result = number if len(names) == 1 else ir.LiteralStructType([number] * len(names))
    return ir.FunctionType(result, [number] * outlined()[names[0]])


def with_variants(text: str) -> str:
    """The LLVM text of a kernel, with what its calls may be turned to declared beside them."""
    declared = [match[1] for match in _DECLARATION.finditer(text)]
    if not declared:
        return text
    lines = [_with_wide_loops(_KERNEL.sub(r"\1 alignstack(64)", _DECLARATION.sub("", text)))]
    kept = []
    for name in declared:
        names, width, _ = parse_symbol(name)
        vectors = [symbol(names, width, lanes) for lanes in LANES]
        kept += vectors
        lines.append(f"{_prototype(name)} {_PURE} {_mapping(name, vectors)}")
        lines += [f"{_prototype(vector)} {_PURE}" for vector in vectors]
    # Nothing calls them yet, but they have to be there.
    pointers = ", ".join(f"ptr @{vector}" for vector in kept)
    used = f"@llvm.compiler.used = appending global [{len(kept)} x ptr] [{pointers}]"
    return "\n".join([*lines, f'{used}, section "llvm.metadata"', ""])


@cache
def _has_masks() -> bool:
    return bool(binding.get_host_cpu_features().get("avx512f", False))


def _with_wide_loops(text: str) -> str:
    """Innermost loops that call functions marked: two vectors at a time, the last ones masked."""
    if not _has_masks():
        return text
    lines = text.split("\n")
    notes: list[str] = []
    for first, last in _innermost_loops(lines):
        widths = {int(width) for line in lines[first:last] for width in _CALL.findall(line)}
        if widths:
            mark, lanes = 9000 + 3 * len(notes), 2 * _VECTOR_BITS // max(widths)
            lines[last] += f", !llvm.loop !{mark}"
            notes.append(
                f"!{mark} = distinct !{{!{mark}, !{mark + 1}, !{mark + 2}}}\n"
                f'!{mark + 1} = !{{!"llvm.loop.vectorize.width", i32 {lanes}}}\n'
                f'!{mark + 2} = !{{!"llvm.loop.vectorize.predicate.enable", i1 true}}'
            )
    return "\n".join([*lines, *notes])


def _innermost_loops(lines: list[str]) -> Iterator[tuple[int, int]]:
    """The first line of each loop without another one inside, and the jump back to it."""
    places: dict[str, int] = {}
    for number, line in enumerate(lines):
        label, jump = _LABEL.match(line), _JUMP.match(line)
        if line.startswith("define"):
            places.clear()
        elif label:
            places[label[1]] = number
        elif jump and jump[1] in places:
            yield places[jump[1]], number
            # What begins before here and goes on after has a loop inside.
            places = {name: at for name, at in places.items() if at > number}


def _prototype(name: str) -> str:
    shape = _shape(*parse_symbol(name))
    operands = ", ".join(map(str, shape.args))
    return f"declare {shape.return_type} @{name}({operands})"


def _mapping(name: str, vectors: list[str]) -> str:
    """The attribute: N without a mask, the lanes, v for each operand that is a vector."""
    operands = "v" * outlined()[parse_symbol(name)[0][0]]
    variants = [
        f"_ZGV_LLVM_N{lanes}{operands}_{name}({vector})"
        for lanes, vector in zip(LANES, vectors, strict=True)
    ]
    return f'"vector-function-abi-variant"="{",".join(variants)}"'


def function_module(wanted: str, exported: str) -> str:
    """The LLVM text of the function that a symbol stands for, exported as `exported`."""
    names, width, lanes = parse_symbol(wanted)
    module = ir.Module()
    module.triple, module.data_layout = object_code.host()
    function = ir.Function(module, _shape(names, width, lanes), exported)
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block())
    machine = LlvmArithmetic(builder, width, lanes)
    operands = [machine.wrap(argument) for argument in function.args]
    results = [_text(name)(machine, *operands).instruction for name in names]
    builder.ret(results[0] if len(results) == 1 else _together(builder, results))
    return str(module)


def _together(builder: Any, results: list[Any]) -> Any:
    shape = ir.LiteralStructType([result.type for result in results])
    found: Any = ir.Constant(shape, ir.Undefined)
    for place, result in enumerate(results):
        found = builder.insert_value(found, result, place)
    return found


def _text(name: str) -> Any:
    return vmath.UNARY.get(name) or vmath.BINARY[name]
