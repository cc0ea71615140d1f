"""Control flow, checkpoints and modules around a function of (x, y), and the same programs spelled out.

Each is written over a library, which is `pb` or one that has the same names.
"""

import functools

import pullback as pb

STEPS = 2


@pb.register_module
class Module:
    """Two arrays, and what is no array."""

    def __init__(self, x, y, name="module"):
        self.x, self.y, self.name = x, y, name


class Ours:
    """`pb` as a library."""

    numpy, module, policy = pb, Module, pb.checkpoint_policies.save_only_these_names
    scan, fori_loop, while_loop = pb.scan, pb.fori_loop, pb.while_loop
    cond, switch, compile = pb.cond, pb.switch, pb.compile
    checkpoint, checkpoint_name = pb.checkpoint, pb.checkpoint_name


def scan(lib, f, **options):
    """The carry and the rows are mapped, what the step captured is differentiated as well."""

    def step(y, c, row):
        c = f(c, y) * row
        return c, lib.numpy.sin(c)

    def run(x, y):
        xs = lib.numpy.stack([lib.numpy.cos(x), y])
        last, rows = lib.scan(lambda c, row: step(y, c, row), x, xs, **options)
        return last + rows[0] + 0.5 * rows[1]

    def spelled_out(x, y):
        rows, c, outs = [lib.numpy.cos(x), y], x, [None] * STEPS
        for i in reversed(range(STEPS)) if options.get("reverse") else range(STEPS):
            c, outs[i] = step(y, c, rows[i])
        return c + outs[0] + 0.5 * outs[1]

    return run, spelled_out


def scan_of_modules(lib, f):
    def step(c, _):
        return lib.module(f(c.x, c.y), c.y * 0.5 + c.x), None

    def run(x, y):
        last, _ = lib.scan(step, lib.module(x, y), None, length=STEPS)
        return last.x + last.y

    def spelled_out(x, y):
        c = lib.module(x, y)
        for _ in range(STEPS):
            c, _ = step(c, None)
        return c.x + c.y

    return run, spelled_out


def fori_loop(lib, f):
    def body(x, y, i, c):
        return f(c, y) * 0.5 + i * x

    def run(x, y):
        return lib.fori_loop(0, STEPS, lambda i, c: body(x, y, i, c), x)

    def spelled_out(x, y):
        c = x
        for i in range(STEPS):
            c = body(x, y, i, c)
        return c

    return run, spelled_out


def while_loop(lib, f):
    """A condition that no transform hides."""

    def run(x, y):
        body = lambda c: (c[0] + 1, f(c[1], y) + 0.1 * x)
        return lib.while_loop(lambda c: c[0] < STEPS, body, (0, x))[1]

    def spelled_out(x, y):
        c = x
        for _ in range(STEPS):
            c = f(c, y) + 0.1 * x
        return c

    return run, spelled_out


def while_of_values(lib, f):
    """A condition of what is mapped: each example stops by itself, at the latest after some steps."""

    def small(c):
        return lib.numpy.logical_and(c[0] < STEPS, lib.numpy.abs(c[1]).sum() < 1.5)

    def run(x, y):
        return lib.while_loop(small, lambda c: (c[0] + 1, f(c[1], y) + 0.7), (0, x))[1]

    def spelled_out(x, y):
        c = (lib.numpy.array(0), x)
        while bool(small(c)):
            c = (c[0] + 1, f(c[1], y) + 0.7)
        return c[1]

    return run, spelled_out


def cond(lib, f):
    def run(x, y):
        return lib.cond(x.sum() > 0, lambda x: f(x, y), lambda x: f(y, x) * lib.numpy.sin(x), x)

    def spelled_out(x, y):
        return f(x, y) if bool(x.sum() > 0) else f(y, x) * lib.numpy.sin(x)

    return run, spelled_out


def switch(lib, f):
    branches = [lambda x, y: lib.numpy.cos(x) + y, f, lambda x, y: f(y, x) * 0.5]

    def run(x, y):
        index = (x.sum() > 0).astype(lib.numpy.int32) + (y.sum() > 0).astype(lib.numpy.int32)
        return lib.switch(index, branches, x, y)

    def spelled_out(x, y):
        return branches[bool(x.sum() > 0) + bool(y.sum() > 0)](x, y)

    return run, spelled_out


def kept(lib, f, name):
    """A checkpoint with a policy, of a function that captured an argument."""

    def block(x, y):
        inner = lib.checkpoint_name(f(x, y), "inner")
        return lib.checkpoint_name(lib.numpy.sin(inner), "sine") * y

    def run(x, y):
        return lib.checkpoint(lambda x: block(x, y), policy=lib.policy(name))(x)

    def spelled_out(x, y):
        return lib.numpy.sin(f(x, y)) * y

    return run, spelled_out


def checkpoint_of_a_module(lib, f):
    inside = lambda m: lib.module(f(m.x, m.y), m.x * m.y)

    def run(x, y):
        out = lib.checkpoint(inside)(lib.module(x, y))
        return out.x + out.y

    def spelled_out(x, y):
        return f(x, y) + x * y

    return run, spelled_out


def compiled_module(lib, f):
    def run(x, y):
        return lib.compile(lambda m: {"out": f(m.x, m.y) * m.x})(lib.module(x, y))["out"]

    return run, lambda x, y: f(x, y) * x


CHECKPOINTS = {
    "scan of checkpoints": functools.partial(scan, checkpoint=True),
    "inner kept": functools.partial(kept, name="inner"),
    "sine kept": functools.partial(kept, name="sine"),
    "checkpoint of a module": checkpoint_of_a_module,
}
# Those whose values decide how the program goes on: under `compile` they have no reverse mode.
DEFERRED = {"while_loop of values": while_of_values}
AROUND = {
    "scan": scan,
    "scan, reverse": functools.partial(scan, reverse=True),
    "scan of modules": scan_of_modules,
    "fori_loop": fori_loop,
    "while_loop": while_loop,
    "cond": cond,
    "switch": switch,
    "compiled module": compiled_module,
    **CHECKPOINTS,
    **DEFERRED,
}


def program(lib, steps, each, spelled_out=False):
    """A function of (x, y): every step reads two of the results before it.

    A step is a function, the structures around it from inside, and which results it reads.
    """

    def run(x, y):
        found = [x, y]
        for name, around, i, j in steps:
            f = each[name]
            for structure in around:
                f = AROUND[structure](lib, f)[spelled_out]
            found.append(f(found[-1 - i % len(found)], found[-1 - j % len(found)]))
        return functools.reduce(lambda a, b: a + b, found[2:])

    return run


def without(steps, structures):
    """The steps, without those structures."""
    return [(name, [s for s in around if s not in structures], i, j) for name, around, i, j in steps]
