"""Every function by its row: beside NumPy, derived, mapped, compiled, in every type; and the page of that."""

import re
import warnings
import zlib

import numpy as np
import pages
import pullback as pb
import pytest
from calls import FAMILIES, A, Apart, leaves
from calls_table import TABLE, callables
from pullback import testing
from samples import EPS, numpy

COLUMNS = ("value", "grad", "jvp", "vmap", "compile", "dtypes")
ROWS = [(module, name) for module, rows in TABLE.items() for name in callables(module) if name in rows]
CALLED = [(module, name) for module, name in ROWS if not isinstance(TABLE[module][name], Apart)]
# What was found, by device, module and name: a word for each column.
FOUND = {}


def function(module, name):
    room = getattr(pb, module) if module else pb
    return getattr(room, name)


def plain(x):
    return numpy(x) if isinstance(x, pb.array) else np.asarray(x)


def compare(got, want, ulps, low="float32"):
    """All results are near; `low` is the type which bounds what can be asked for."""
    assert len(got) == len(want), f"{len(got)} results, not {len(want)}"
    for a, b in zip(got, want, strict=True):
        dtype = a.dtype.name if isinstance(a, pb.array) else low
        a, b = plain(a), np.asarray(b)
        assert a.shape == b.shape, f"shape {a.shape}, not {b.shape}"
        eps = max(EPS.get(dtype, 0), EPS.get(low, 0))
        scale = max(1.0, float(np.max(np.abs(b[np.isfinite(b)]), initial=0))) if b.dtype != bool else 1
        np.testing.assert_allclose(a, b, rtol=0, atol=eps * ulps * scale)


def wide(values, got):
    """Arguments for NumPy: floats in double precision, and integers too where the results are no integers."""
    inexact = any(isinstance(x, pb.array) and pb.issubdtype(x.dtype, pb.inexact) for x in got)
    kinds = {"f": np.float64, "c": np.complex128} | (dict.fromkeys("iub", np.float64) if inexact else {})
    return [x.astype(kinds.get(x.dtype.kind, x.dtype)) for x in values]


def beside_numpy(row, fun, dtype=None, shapes=None):
    dtype = dtype or row.base
    values = row.drawn(dtype, 1, shapes)
    got = row.called(fun, *row.taken(values, dtype))
    drawn = [isinstance(arg, A) for arg in row.args]
    # What is no argument of the family keeps its type: positions, masks, codes.
    widened = values if row.exact else wide(values, got)
    seen = [w if d else v for w, v, d in zip(widened, values, drawn, strict=True)]
    low = max(
        ["float64", dtype, *[x.dtype.name for x in got if isinstance(x, pb.array)]],
        key=lambda d: EPS.get(d, 0),
    )
    low = low if dtype in EPS or low != "float64" else "float32"
    if row.told:
        got = [row.told(*seen, *map(plain, got))]
    with warnings.catch_warnings(action="ignore"):
        want = leaves(row.want(*seen))
    compare(got, want, row.ulps, low)


def value(row, fun, device):
    if isinstance(row.want, str):
        # What no other library can say, the other device can.
        got = row.called(fun, *row.taken(row.drawn()))
        with pb.stream(pb.cpu):
            compare(got, [plain(x) for x in row.called(fun, *row.taken(row.drawn()))], 64)
        return
    beside_numpy(row, fun)
    for shapes in row.shapes:
        beside_numpy(row, fun, shapes=shapes)


def by(row, fun):
    """The function of its differentiable arguments alone, and these."""
    args = row.taken(row.drawn(seed=2))

    def of(*chosen):
        """Real numbers, of which difference quotients are: parts of complex ones."""
        given = list(args)
        for i, x in zip(row.diff, chosen, strict=True):
            given[i] = x
        results = row.called(fun, *given)
        results = results if row.smooth is None else row.smooth(*results)
        parts = [(pb.real(x), pb.imag(x)) if x.dtype == pb.complex64 else (x,) for x in results]
        return [x for pair in parts for x in pair if pb.issubdtype(x.dtype, pb.floating)]

    return of, [args[i] for i in row.diff]


def derivative(row, fun, device, mode):
    """By difference quotients in double precision; on a GPU, beside that of the CPU."""
    of, args = by(row, fun)
    if device == pb.cpu:
        testing.check_grads(of, args, modes=[mode])
        return

    def derived(of, args):
        ones = [pb.ones_like(x) for x in args]
        if mode == "fwd":
            return pb.jvp(of, args, ones)[1]
        return pb.vjp(of, args, [pb.ones_like(x) for x in of(*args)])[1]

    got = [plain(x) for x in derived(of, args)]
    with pb.stream(pb.cpu):
        want = [plain(x) for x in derived(*by(row, fun))]
    compare(got, want, 256)


def mapped(row, fun, device):
    draws = [row.taken(row.drawn(seed=seed)) for seed in (3, 11)]
    got = pb.vmap(lambda *args: row.called(fun, *args))(
        *(pb.stack(pair) for pair in zip(*draws, strict=True))
    )
    single = [row.called(fun, *args) for args in draws]
    compare(got, [np.stack([plain(x) for x in pair]) for pair in zip(*single, strict=True)], row.ulps)


def compiled(row, fun, device):
    args = row.taken(row.drawn())
    got = pb.compile(lambda *args: row.called(fun, *args))(*args)
    compare(got, [plain(x) for x in row.called(fun, *args)], row.ulps)


def types(row, module, name, device):
    """Those of the family; on a GPU, which has no float64 and is slow to make programs here, two of them."""
    family = FAMILIES[row.dtypes]
    if device == pb.gpu:
        family = [dtype for dtype in family if dtype not in ("float64", "float32")]
        turn = zlib.crc32(f"{module}.{name}".encode()) % max(len(family), 1)
        family = family[turn : turn + 1]
    return family


def every_type(row, fun, dtypes):
    for dtype in dtypes:
        try:
            if isinstance(row.want, str):
                row.called(fun, *row.taken(row.drawn(dtype), dtype))
            else:
                beside_numpy(row, fun, dtype)
        except Exception as error:
            if dtype not in row.lacks:
                raise AssertionError(f"{dtype}: {error}") from error
        else:
            assert dtype not in row.lacks, f"{dtype} is taken now"


def asked(row, module, name, device):
    """What is asked in each column: a function without arguments, or why nothing is."""
    fun = function(module, name)
    derived = row.diff if isinstance(row.diff, str) else None
    dtypes = types(row, module, name, device)
    return {
        "value": row.want
        if isinstance(row.want, str) and device == pb.cpu
        else lambda: value(row, fun, device),
        "grad": derived or (lambda: derivative(row, fun, device, "rev")),
        "jvp": derived or (lambda: derivative(row, fun, device, "fwd")),
        "vmap": row.vmap if isinstance(row.vmap, str) else lambda: mapped(row, fun, device),
        "compile": row.compile if isinstance(row.compile, str) else lambda: compiled(row, fun, device),
        "dtypes": (lambda: every_type(row, fun, dtypes))
        if FAMILIES[row.dtypes]
        else "it has no types to choose",
    }


@pytest.mark.parametrize(("module", "name"), CALLED)
def test_row(module, name, device):
    row, found, wrong = TABLE[module][name], {}, []
    where = "cpu" if device == pb.cpu else "gpu"
    for column, ask in asked(row, module, name, device).items():
        if isinstance(ask, str):
            found[column] = f"– {ask}"
            continue
        listed = row.fails.get(f"{where} {column}") or row.fails.get(column)
        error = None
        try:
            # They say what a GPU leaves to the CPU.
            with warnings.catch_warnings(action="ignore"):
                ask()
        except Exception as raised:
            error = f"{column}: {type(raised).__name__}: {' '.join(str(raised).split())[:400]}"
        if bool(error) != bool(listed):
            wrong.append(error or f"{column}: holds now, though the row says: {listed}")
        found[column] = f"no {listed}" if listed else "yes"
        if column == "dtypes" and row.lacks and not listed:
            found[column] = f"yes {', '.join(f'`{dtype}`: {why}' for dtype, why in row.lacks.items())}"
    FOUND[where, module, name] = found
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", TABLE)
def test_every_name_has_a_row(module):
    assert sorted(callables(module)) == sorted(TABLE[module])


DEVICES = ("cpu", "gpu")
HEADER = [
    "",
    "This part is written by `tests/api/test_calls.py`: every function is called on both devices, as its row",
    "in `tests/api/calls_*.py` says.",
    "",
    "- value: what NumPy says, also of empty arrays and of arrays without axes where these have a meaning",
    "- grad, jvp: difference quotients in double precision; on the GPU what the CPU says",
    "- vmap: a loop; compile: the same call, not compiled",
    "- dtypes: what NumPy says, in every type of the family that the row names; on the GPU, in two of them",
    "",
    "What a GPU has no program for runs on the CPU, with a warning. `–` is what has no meaning; numbers are",
    "those of the notes below.",
]


def printed():
    """What the page says now: words by device, module and name, as they are in `FOUND`."""
    text = pages.parts()[1]
    notes = dict(re.findall(r"^(\d+)\. (.*)$", text, re.MULTILINE))
    found, module = {}, ""
    for line in text.splitlines():
        if line.startswith("### `"):
            module = line.split("`")[1].removeprefix("mlx.core").removeprefix(".")
        elif line.startswith("| `"):
            name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            words = [re.sub(r"\((\d+)\)", lambda m: notes[m[1]], cell) for cell in cells]
            for i, device in enumerate(DEVICES):
                part = words[i * len(COLUMNS) : (i + 1) * len(COLUMNS)]
                found[device, module, name.strip("`")] = dict(zip(COLUMNS, part, strict=True))
    return found


def table(found):
    lines, notes = list(HEADER), {}

    def cell(word):
        mark, _, why = word.partition(" ")
        return f"{mark} ({notes.setdefault(why, len(notes) + 1)})" if why else mark

    for module in TABLE:
        title = f"mlx.core.{module}".rstrip(".")
        columns = [f"{device} {column}" for device in DEVICES for column in COLUMNS]
        lines += [
            "",
            f"### `{title}`",
            "",
            f"| name | {' | '.join(columns)} |",
            "|---" * (len(columns) + 1) + "|",
        ]
        for name in sorted(callables(module)):
            row = TABLE[module][name]
            apart = dict.fromkeys(COLUMNS, f"– {row.why}") if isinstance(row, Apart) else None
            words = [apart or found[device, module, name] for device in DEVICES]
            cells = [cell(each[column]) for each in words for column in COLUMNS]
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
    lines += ["", "### Notes", "", *(f"{i}. {why}" for why, i in notes.items())]
    return "\n".join(lines) + "\n"


def test_the_page_is_what_was_found():
    """After all of the rows have run; without a GPU its columns stay as they are."""
    if any(("cpu", *row) not in FOUND for row in CALLED):
        pytest.skip("some rows have not run")
    pages.write(1, table(printed() | FOUND))


def test_a_page_is_read_as_it_was_written():
    if not pages.FILE.exists():
        pytest.skip("not a checkout")
    assert table(printed()) == pages.parts()[1]
