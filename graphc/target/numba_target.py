"""A Numba target of our own: the CPU with what kernels and the driver need and nothing else.

Numba's own CPU target fills its tables with all of NumPy (and imports SciPy's linear algebra)
when it first compiles: 0.3 s, 8 ms here. It links a run-time library into each function and runs
27 passes over it, for closures, with-blocks, comprehensions and array expressions that kernels and
the driver do not have; here 9 are left.

The target extension interface is Numba's; of the names used here some are private to it, so the
project allows one minor release of Numba at a time.
"""

from __future__ import annotations

from typing import Any

from numba.core import (
    compiler,
    cpu,
    decorators,
    dispatcher,
    fastmathpass,
    typed_passes,
    types,
    untyped_passes,
)
from numba.core.compiler_machinery import PassManager
from numba.core.descriptors import TargetDescriptor
from numba.core.imputils import Registry as LoweringRegistry
from numba.core.target_extension import (
    CPU,
    dispatcher_registry,
    jit_registry,
    target_override,
    target_registry,
)
from numba.core.typing import templates
from numba.core.typing.context import BaseContext
from numba.core.typing.templates import Registry as TypingRegistry

NAME = "graphc"
_PASSES: tuple[tuple[Any, str], ...] = (
    (untyped_passes.TranslateByteCode, "bytecode to Numba's IR"),
    (untyped_passes.FixupArgs, "arguments"),
    (untyped_passes.IRProcessing, "control flow"),
    (untyped_passes.ReconstructSSA, "single assignment"),
    (typed_passes.NopythonTypeInference, "types"),
    (typed_passes.PreLowerStripPhis, "no phi nodes"),
    (typed_passes.IRLegalization, "legal for lowering"),
    (typed_passes.NativeLowering, "to LLVM"),
    (typed_passes.NoPythonBackend, "result"),
)
typings = TypingRegistry()
lowerings = LoweringRegistry(NAME)


class _Cpu(CPU):
    """The name under which Numba's registries know the target."""


class Pipeline(compiler.CompilerBase):
    """The passes that a kernel goes through."""

    def define_pipelines(self) -> list[Any]:
        """One list of passes, without anything to fall back on."""
        manager: Any = PassManager(NAME)
        for each, label in _PASSES:
            manager.add_pass(each, label)
        manager.finalize()
        return [manager]


@typings.register_global(bool)
class _Truth(templates.AbstractTemplate):
    """The condition of a branch, which Numba would compile a function for."""

    key = bool
    metadata = {"target": NAME}  # noqa: RUF012 - Numba reads it from the class

    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], types.Boolean | types.Integer):
            return templates.signature(types.boolean, args[0])
        return None


@lowerings.lower(bool, types.Boolean)  # type: ignore[untyped-decorator]
@lowerings.lower(bool, types.Integer)  # type: ignore[untyped-decorator]
def _truth(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return context.is_true(builder, signature.args[0], args[0])


class _TypingContext(BaseContext):
    def load_additional_registries(self) -> None:
        self.install_registry(typings)  # type: ignore[no-untyped-call]


def _let_integers_wrap(module: Any) -> None:
    """Numba tells LLVM that sums and products of signed integers stay in range; here they wrap."""
    for function in module.functions:
        for block in function.blocks:
            for instruction in block.instructions:
                flags = getattr(instruction, "flags", ())
                if "nsw" in flags:
                    instruction.flags = [flag for flag in flags if flag != "nsw"]


class _Context(cpu.CPUContext):
    def load_additional_registries(self) -> None:
        # These modules fill Numba's registry of built-ins when they are imported.
        from numba.cpython import builtins, numbers, rangeobj, tupleobj  # noqa: F401

        self.install_registry(lowerings)  # type: ignore[no-untyped-call]

    def post_lowering(self, module: Any, library: Any) -> None:
        """Give instructions their flags; no run-time library is linked."""
        if self.fastmath:
            fastmathpass.rewrite_module(module, self.fastmath)
        _let_integers_wrap(module)


class _Target(TargetDescriptor):
    options = cpu.CPUTargetOptions

    def __init__(self) -> None:
        super().__init__(NAME)  # type: ignore[no-untyped-call]
        self._typing = _TypingContext()  # type: ignore[no-untyped-call]
        self._context: Any = None

    @property
    def typing_context(self) -> Any:
        return self._typing

    @property
    def target_context(self) -> Any:
        if self._context is None:
            self._context = _Context(self._typing, NAME)  # type: ignore[no-untyped-call]
        return self._context


class _Dispatcher(dispatcher.Dispatcher):
    targetdescr: Any = None


def _jit(*args: Any, **options: Any) -> Any:
    """For what Numba implements by compiling Python of its own."""
    jit: Any = decorators.jit
    return jit(*args, _target=NAME, **options)


target_registry[NAME] = _Cpu
target = _Dispatcher.targetdescr = _Target()
dispatcher_registry[_Cpu] = _Dispatcher
jit_registry[_Cpu] = _jit


def compile_function(
    function: Any, arguments: tuple[Any, ...], result: Any, flags: Any, library: Any
) -> Any:
    """Type and lower a Python function into `library`; raises whatever Numba does."""
    with target_override(NAME):
        return compiler.compile_extra(
            target.typing_context, target.target_context, function, arguments, result, flags, {},
            library=library, pipeline_class=Pipeline,
        )  # fmt: skip
