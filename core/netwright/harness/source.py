"""The reading of a candidate's source before it is ever run: what a kernel or a model has no business with."""

import ast
from collections.abc import Iterator
from pathlib import Path

from netwright.harness.variant import Variant
from netwright.loading import parse_script


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PACKAGES = _words(
    """__future__ abc base64 collections contextlib copy dataclasses enum functools itertools math numbers numpy
    operator random re types typing typing_extensions warnings zlib einops helion timm torch torchvision transformers
    triton"""
)
"""What a candidate may import beside its own neighbours; anything else reaches files, timers, threads or the judge."""
PARTS = _words(
    """contextlib.suppress numpy.ctypeslib numpy.load numpy.memmap numpy.save operator.attrgetter operator.methodcaller
    torch.autograd._profiler_enabled torch.autograd.profiler torch.distributed torch.from_file torch.hub torch.load
    torch.multiprocessing torch.overrides torch.profiler torch.save torch.set_num_interop_threads torch.set_num_threads
    torch.utils._python_dispatch torch.utils.benchmark torch.utils.cpp_extension triton.backends triton.compiler
    triton.knobs triton.language.extra.cuda.globaltimer triton.language.extra.cuda.smid
    triton.language.extra.hip.memrealtime triton.language.inline_asm_elementwise triton.runtime.cache
    triton.runtime.driver triton.testing triton.tools types.CodeType types.FunctionType"""
)
"""What it has no business with in those: parts that load code, keep time, start threads, read files, hide failures; in
kernels, clocks and assembly."""
BUILTINS = _words("__builtins__ __import__ breakpoint compile delattr eval exec globals input locals open setattr vars")
LANGUAGE = _words(
    """asyncio atexit builtins concurrent ctypes gc importlib inspect io linecache logging mmap multiprocessing os
    pathlib pickle platform queue resource select shutil signal socket subprocess sys tempfile threading time traceback
    weakref"""
)
"""Modules that other modules carry as attributes: `torch.sys` is `sys`."""
FRAMES = _words("f_back f_builtins f_globals f_locals tb_frame gi_frame cr_frame ag_frame")
HARMLESS = _words("__call__ __class__ __doc__ __enter__ __exit__ __getitem__ __init__ __len__ __name__ __setitem__")
PATCHED = "it changes {} for everybody"
COARSE = "it multiplies in TF32, and does not claim to"
ORIGINAL = "it claims kernels of its own, and has the original module do the work"


def complaint(variant: Variant, allowed: tuple[str, ...] = ()) -> str | None:
    """The first thing in a candidate's source, or in files beside it that it imports, that it has no business with.

    Nothing is run. A determined author can hide from any reading; what the code does is judged besides.

    Args:
        variant: Its target is a Python file; of installed packages nothing is read.
        allowed: Further packages, and parts of packages, that it may use.

    Returns:
        File, line and what is wrong there, or None.

    Raises:
        UserError: The file is missing or is not Python.
    """
    origin, _, entry = variant.target.rpartition(":")
    waiting, seen = [Path(origin)], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        claims = variant.claims.kernels and path == Path(origin)
        reader = _Reader(
            parse_script(path),
            path,
            frozenset(allowed),
            own_kernels_in=entry if claims else "",
            coarse=variant.claims.precision in ("bfloat16", "float16"),
        )
        for line, what in sorted(reader.complaints()):
            return f"{path.name}, line {line}: {what}"
        waiting += [neighbour for neighbour in reader.neighbours() if neighbour not in seen]
    return None


def is_readable(variant: Variant) -> bool:
    """Whether a variant is a file, which somebody may have written for this comparison."""
    return variant.target.rpartition(":")[0].endswith(".py")


class _Reader:
    """Reads one file.

    Args:
        allowed: Packages and parts of packages that it may use beside the usual ones.
        own_kernels_in: The function that claims to run kernels of its own; empty where none does.
        coarse: Whether it claims a type that is no finer than TF32.
    """

    def __init__(
        self, tree: ast.Module, path: Path, allowed: frozenset[str], own_kernels_in: str, coarse: bool
    ) -> None:
        self._tree = tree
        self._path = path
        self._packages = PACKAGES | {name.partition(".")[0] for name in allowed}
        self._parts = PARTS - allowed
        self._language = LANGUAGE - allowed
        self._entry = own_kernels_in
        self._coarse = coarse
        self._called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        self._imported: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self._imported[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self._imported[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
        while self._follow_other_names():
            pass

    def neighbours(self) -> Iterator[Path]:
        """The files beside this one that it imports."""
        for name in self._imported.values():
            file = self._beside(name)
            if file is not None:
                yield file

    def complaints(self) -> Iterator[tuple[int, str]]:
        """Lines and what is wrong there."""
        optional = {
            id(statement)
            for statement in self._tree.body
            if isinstance(statement, ast.Try) and all(_names_import_error(handler) for handler in statement.handlers)
        }
        for node in ast.walk(self._tree):
            for what in self._about(node, optional):
                yield getattr(node, "lineno", 1), what
        if self._entry:
            yield from self._original_calls()

    def _follow_other_names(self) -> bool:
        """Take a name that an imported thing is assigned to for imported; whether there was another one."""
        known = len(self._imported)
        for node in ast.walk(self._tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    pass
                case ast.NamedExpr(target=ast.Name(id=name), value=value):
                    pass
                case _:
                    continue
            if (whole := self._dotted(value)) is not None:
                self._imported.setdefault(name, whole)
        return len(self._imported) > known

    def _about(self, node: ast.AST, optional: set[int]) -> Iterator[str]:
        match node:
            case ast.Import(names=names):
                yield from (what for alias in names if (what := self._about_import(alias.name)))
            case ast.ImportFrom(module=module, names=names):
                whole = [f"{module or ''}.{alias.name}" for alias in names]
                yield from (what for name in whole if (what := self._about_import(name)))
            case ast.Name(id=name) if name in BUILTINS or (name == "getattr" and id(node) not in self._called):
                yield f"it uses {name}"
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]):
                if isinstance(name, ast.Constant):
                    yield from self._about_attribute(owner, str(name.value))
                elif self._shared_root(owner) or not _begins_with_a_letter(name):
                    yield "it looks up an attribute whose name it computes"
            case ast.Call(func=ast.Attribute(attr="dot" | "dot_scaled"), keywords=keywords) if not self._coarse:
                yield from (COARSE for keyword in keywords if _is_coarse(keyword))
            case ast.Attribute(value=owner, attr=name):
                yield from self._about_attribute(owner, name)
                if isinstance(node.ctx, (ast.Store, ast.Del)) and (root := self._shared_root(owner)):
                    yield PATCHED.format(f"{root}.{name}")
            case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()) if root := self._shared_root(owner):
                yield PATCHED.format(root)
            case ast.Try() | ast.TryStar() if id(node) not in optional:
                if any(not _raises(handler) for handler in node.handlers):
                    yield "it swallows exceptions, so that a fallback can hide"

    def _about_import(self, name: str) -> str | None:
        if self._beside(name) is not None:
            return None
        top, *inner = name.split(".")
        forbidden = top not in self._packages or "*" in inner or not self._language.isdisjoint(inner)
        if forbidden or any(f"{name}.".startswith(f"{part}.") for part in self._parts):
            return f"it imports {name}"
        return None

    def _about_attribute(self, owner: ast.expr, name: str) -> Iterator[str]:
        whole = self._dotted(owner)
        if name in FRAMES or (name.startswith("__") and name.endswith("__") and name not in HARMLESS):
            yield f"it looks into {name}"
        elif whole and (name in self._language or f"{whole}.{name}" in self._parts):
            yield f"it uses {whole}.{name}"

    def _dotted(self, node: ast.expr) -> str | None:
        """The whole name of something imported, such as "torch.backends.cuda"; None of anything else."""
        if isinstance(node, ast.Attribute):
            owner = self._dotted(node.value)
            return owner and f"{owner}.{node.attr}"
        return self._imported.get(node.id) if isinstance(node, ast.Name) else None

    def _shared_root(self, node: ast.expr) -> str | None:
        """What an assignment to a part of `node` changes, where that is shared with others: a module, a class."""
        if (name := self._dotted(node)) is not None:
            return name
        match node:
            case ast.Call(func=ast.Name(id="type")) | ast.Attribute(attr="__class__"):
                return ast.unparse(node)
            case ast.Attribute(value=owner) | ast.Subscript(value=owner):
                return self._shared_root(owner)
        return None

    def _original_calls(self) -> Iterator[tuple[int, str]]:
        """Where the entry function calls the module that it was given, or hands it on to be called."""
        for function in self._tree.body:
            if not isinstance(function, ast.FunctionDef) or function.name != self._entry or not function.args.args:
                continue
            module = function.args.args[0].arg
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Name(id=name), lineno=line) if name == module:
                        yield line, ORIGINAL
                    case ast.Attribute(value=ast.Name(id=name), attr="forward", lineno=line) if name == module:
                        yield line, ORIGINAL
                    case ast.Return(value=ast.Name(id=name), lineno=line) if name == module:
                        yield line, ORIGINAL
                    case ast.Call(func=called, args=[ast.Name(id=name), *_], lineno=line) if name == module:
                        if (self._dotted(called) or "").startswith("torch."):
                            yield line, ORIGINAL

    def _beside(self, name: str) -> Path | None:
        """The file beside this one that an import of `name` reads."""
        file = self._path.parent / f"{name.strip('.').partition('.')[0]}.py"
        return file if file.is_file() else None


def _begins_with_a_letter(name: ast.expr) -> bool:
    """Whether a computed name is an f-string such as f"layer{number}", which cannot come out as a special one."""
    match name:
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text[:1].isalpha()
    return False


def _is_coarse(keyword: ast.keyword) -> bool:
    """Whether an argument of a kernel's product asks for TF32."""
    match keyword:
        case ast.keyword(arg="input_precision", value=ast.Constant(value="tf32")):
            return True
        case ast.keyword(arg="allow_tf32", value=ast.Constant(value=True)):
            return True
    return False


def _names_import_error(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.type, ast.Name) and handler.type.id in ("ImportError", "ModuleNotFoundError")


def _raises(handler: ast.ExceptHandler) -> bool:
    return bool(handler.body) and isinstance(handler.body[-1], ast.Raise)
