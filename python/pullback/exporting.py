"""Functions in files: recorded for example arguments, written, and called without the program they came from.

A file holds operations by name with their constants, in a format of its own, which is described in
`crates/engine/src/exported/file.rs`. Custom functions are inlined through their bodies: their rules are code
and stay behind. A derivative that was taken within the function is exported as the rule made it; to
differentiate what was imported is an error where a rule would have a say. Functions that call back into
Python, by `pure_callback` or `debug.print`, are refused. Arrays that a function captured are constants of it,
and so is the random state: an exported function draws the same numbers in each call.
"""

import os
from collections.abc import Callable
from typing import Any

from pullback import _core
from pullback.files.opened import reading, writing

__all__ = [
    "FunctionExporter",
    "ImportedFunction",
    "export_function",
    "export_to_dot",
    "exporter",
    "import_function",
]


def export_function(
    file_or_callback: Any,
    fun: Callable[..., Any],
    *args: Any,
    shapeless: bool = False,
    metadata: str | None = None,
    **kwargs: Any,
) -> None:
    """Writes `fun`, recorded for arguments like the examples, to a file.

    The examples are arrays, positional and by keyword; or a tuple or list of arrays and a dictionary of them.
    `fun` is called once with arrays that have no elements. It returns an array, or a list or tuple of arrays.
    `metadata` is a text that is kept with it. `shapeless` must be false: recorded operations hold sizes.

    Instead of a file, a function may be given. It is called with dictionaries whose `"type"` is, in order,
    `"inputs"`, `"keyword_inputs"`, `"outputs"`, `"constants"` and, for each operation, `"primitive"`; values
    are named, and given as `(name, shape, dtype)`.

    >>> import io
    >>> file = io.BytesIO()
    >>> pb.export_function(file, lambda x, y: x * y + 1, pb.array(1.0), y=pb.array(1.0))
    >>> f = pb.import_function(io.BytesIO(file.getvalue()))
    >>> f(pb.array(2.0), y=pb.array(3.0))
    (array(7., dtype=float32),)
    """
    _refuse_shapeless("export_function", shapeless)
    if callable(file_or_callback) and not hasattr(file_or_callback, "write"):
        if metadata is not None:
            raise ValueError("[export_function] expected no metadata with a callback, got some")
        positional, named = _inputs("export_function", args, kwargs)
        _tell(file_or_callback, _core._export(fun, positional, named), list(named))
        return
    with exporter(file_or_callback, fun, metadata=metadata) as out:
        out(*args, **kwargs)


def exporter(
    file: Any, fun: Callable[..., Any], *, shapeless: bool = False, metadata: str | None = None
) -> "FunctionExporter":
    """A function of example arguments that records `fun` for them, once for each structure of arguments.

    All that was recorded is written to the file when it is closed, which leaving a `with` does.

    >>> import io
    >>> file = io.BytesIO()
    >>> with pb.exporter(file, lambda *args: sum(args)) as export:
    ...     export(pb.array(1))
    ...     export(pb.array(1), pb.array(2))
    >>> f = pb.import_function(io.BytesIO(file.getvalue()))
    >>> f(pb.array(3)), f(pb.array(3), pb.array(4))
    ((array(3, dtype=int32),), (array(7, dtype=int32),))
    """
    _refuse_shapeless("exporter", shapeless)
    if metadata is not None and not isinstance(metadata, str):
        raise TypeError(f"[exporter] expected metadata that is a text, got {type(metadata).__name__}")
    return FunctionExporter(file, fun, metadata or "")


class FunctionExporter:
    """What `exporter` returns."""

    def __init__(self, file: Any, fun: Callable[..., Any], metadata: str) -> None:
        self._file, self._fun, self._metadata = file, fun, metadata
        self._entries: list[tuple[int, list[str], Any]] = []
        self._open = True

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Records the function for arguments like these."""
        if not self._open:
            raise ValueError("[exporter] expected an exporter that is open, got one that was closed")
        positional, named = _inputs("export_function", args, kwargs)
        given = _signature(positional, named)
        if any(given == _exported(entry) for entry in self._entries):
            raise ValueError(
                f"[export_function] expected arguments of another structure, got {_words(given)} twice"
            )
        self._entries.append((len(positional), list(named), _core._export(self._fun, positional, named)))

    def close(self) -> None:
        """Writes the file; nothing the second time."""
        if not self._open:
            return
        self._open = False
        content = _core._written(self._metadata, self._entries)
        with writing(self._file, "", "export_function") as out:
            out.write(content)

    def __enter__(self) -> "FunctionExporter":
        return self

    def __exit__(self, exc_type: Any = None, exc_value: Any = None, traceback: Any = None) -> None:
        # A file of half of what was meant would be worse than none.
        if exc_type is None:
            self.close()
        else:
            self._open = False


def import_function(file: Any, return_metadata: bool = False) -> Any:
    """The function in a file that `export_function` or `exporter` wrote; with `return_metadata`, a pair of it
    and the text that was kept with it.

    It takes arrays, positional and by keyword, or a tuple or list and a dictionary of them, of the shapes and
    dtypes that it was exported for, and returns a tuple of arrays. It can be mapped, compiled and
    differentiated, but for custom functions in it whose rules say what the derivative is: these were not
    exported. It is built for the device that is current when it is called.

    A file that is not what it claims to be is a `ValueError`, one that cannot be read an `OSError`. Nothing
    in it is executed but operations of arrays.

    >>> import io
    >>> file = io.BytesIO()
    >>> pb.export_function(file, pb.sin, pb.array(1.0), metadata="a wave")
    >>> f, text = pb.import_function(io.BytesIO(file.getvalue()), return_metadata=True)
    >>> text, pb.grad(lambda x: f(x)[0])(pb.array(0.0)).item()
    ('a wave', 1.0)
    """
    with reading(file, "import_function") as source:
        content = source.read()
    if not isinstance(content, bytes):
        got = type(content).__name__
        raise ValueError(f"[import_function] expected a file opened for bytes, got {got}")
    metadata, entries = _core._imported(content)
    function = ImportedFunction(entries)
    return (function, metadata) if return_metadata else function


class ImportedFunction:
    """What `import_function` returns."""

    def __init__(self, entries: list[tuple[int, list[str], Any]]) -> None:
        self._entries = [(_exported(entry), entry[1], entry[2]) for entry in entries]

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[_core.array, ...]:
        """The function of these arguments."""
        positional, named = _inputs("import_function", args, kwargs)
        given = _signature(positional, named)
        for signature, keywords, program in self._entries:
            if signature == given:
                return tuple(program(*positional, *(named[keyword] for keyword in keywords)))
        known = "; or ".join(_words(signature) for signature, _, _ in self._entries) or "nothing"
        raise ValueError(
            f"[import_function] expected arguments that it was exported for, {known}; got {_words(given)}"
        )

    def __repr__(self) -> str:
        return (
            f"<imported function of {'; or '.join(_words(signature) for signature, _, _ in self._entries)}>"
        )


# Types of positional arguments, and of the others by keyword.
Signature = tuple[tuple[Any, ...], dict[str, Any]]


def _signature(positional: tuple[_core.array, ...], named: dict[str, _core.array]) -> Signature:
    def kind(x: _core.array) -> Any:
        return (x.shape, x.dtype)

    return tuple(map(kind, positional)), {keyword: kind(x) for keyword, x in named.items()}


def _exported(entry: tuple[int, list[str], Any]) -> Signature:
    """What a recorded function was recorded for."""
    count, keywords, program = entry
    types = program.inputs
    return tuple(types[:count]), dict(zip(keywords, types[count:], strict=True))


def _words(signature: Signature) -> str:
    def kind(x: Any) -> str:
        return f"{x[1].name}{list(x[0])}"

    positional, named = signature
    each = [*map(kind, positional), *(f"{keyword}={kind(x)}" for keyword, x in sorted(named.items()))]
    return f"({', '.join(each)})"


def _inputs(
    op: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[_core.array, ...], dict[str, _core.array]]:
    """Arguments as they are meant: arrays, or a tuple or list of them, a dictionary of them, or both."""
    positional, named = args, kwargs
    if not kwargs:
        rest = list(args)
        if rest and len(rest) <= 2 and isinstance(rest[-1], dict):
            named = rest.pop()
            positional = tuple(rest)
        if len(rest) == 1 and isinstance(rest[0], tuple | list):
            positional = tuple(rest[0])
    wrong = [x for x in [*positional, *named.values()] if not isinstance(x, _core.array)]
    if wrong or not all(isinstance(keyword, str) for keyword in named):
        got = type(wrong[0]).__name__ if wrong else "keywords that are no text"
        raise ValueError(
            f"[{op}] expected arrays, positional and by keyword, or a tuple or list of arrays and a "
            f"dictionary of them, got {got}: use pb.array"
        )
    return positional, dict(named)


def _refuse_shapeless(op: str, shapeless: bool) -> None:
    if shapeless:
        raise ValueError(
            f"[{op}] expected shapeless=False, got True: recorded operations hold sizes, so export once for "
            "each shape with pb.exporter"
        )


def _tell(callback: Callable[[dict[str, Any]], Any], program: Any, keywords: list[str]) -> None:
    """Calls back with what a function consists of."""
    names = [f"%{i}" for i in range(len(program.values))]

    def said(values: Any) -> list[Any]:
        return [(names[i], *program.values[i]) for i in values]

    count = len(program.inputs)
    constants = program.constants
    callback({"type": "inputs", "inputs": said(range(count))})
    named = list(zip(keywords, names[count - len(keywords) : count], strict=True))
    callback({"type": "keyword_inputs", "keywords": named})
    callback({"type": "outputs", "outputs": said(program.outputs)})
    callback({"type": "constants", "constants": [(names[count + i], x) for i, x in enumerate(constants)]})
    at = count + len(constants)
    for name, params, inputs, results in program.steps:
        made = range(at, at + results)
        at += results
        callback(
            {
                "type": "primitive",
                "name": name,
                "arguments": [params] if params else [],
                "inputs": said(inputs),
                "outputs": said(made),
            }
        )


def export_to_dot(file: Any, *args: _core.array, **kwargs: _core.array) -> None:
    """Writes what arrays are made of to a file, in the language of Graphviz.

    Operations that have not been computed are boxes, arrays that are there ellipses. Arrays by keyword are
    shown by their names, and outputs alone if there are no others.

    >>> import io
    >>> file, x = io.StringIO(), pb.array([1.0, 2.0])
    >>> pb.export_to_dot(file, pb.sin(x), x=x)
    >>> print(file.getvalue())
    digraph {
      leaf0 [label="x\\nfloat32[2]", shape=ellipse];
      step0 [label="sin\\nfloat32[2]", shape=box];
      leaf0 -> step0;
      out0 [label="output 0", shape=plaintext];
      step0 -> out0;
    }
    <BLANKLINE>
    """
    outs = list(args) or list(kwargs.values())
    for x in [*outs, *kwargs.values()]:
        if not isinstance(x, _core.array):
            got = type(x).__name__
            raise ValueError(f"[export_to_dot] expected arrays, got {got}")
    text = _dot(outs, kwargs)
    if hasattr(file, "write"):
        file.write(text)
        return
    with open(os.fspath(file), "w", encoding="utf-8") as out:
        out.write(text)


def _dot(outs: list[_core.array], named: dict[str, _core.array]) -> str:
    leaves, steps, results = _core._pending([*outs, *named.values()], [])
    # Names belong to what arrays are equal to.
    labels: dict[tuple[int | None, int], list[str]] = {}
    for keyword, source in zip(named, results[len(outs) :], strict=True):
        labels.setdefault(source, []).append(keyword)

    def place(source: tuple[int | None, int]) -> str:
        step, which = source
        return f"leaf{which}" if step is None else f"step{step}"

    def box(name: str, lines: list[str], shape: str) -> str:
        text = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines if line)
        return f'  {name} [label="{text}", shape={shape}];'

    lines = ["digraph {"]
    for i, (value, kind) in enumerate(leaves):
        shown = ", ".join(labels.get((None, i), [])) or ("" if value is None else repr(value))
        lines.append(box(f"leaf{i}", [shown, kind], "ellipse"))
    for i, (name, params, types, inputs) in enumerate(steps):
        shown = [", ".join(labels.get((i, out), [])) for out in range(len(types))]
        lines.append(box(f"step{i}", [*shown, name, params, *types], "box"))
        lines += [f"  {place(source)} -> step{i};" for source in inputs]
    for i, source in enumerate(results[: len(outs)]):
        lines.append(box(f"out{i}", [f"output {i}"], "plaintext"))
        lines.append(f"  {place(source)} -> out{i};")
    return "\n".join([*lines, "}"]) + "\n"
