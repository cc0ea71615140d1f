"""What memory is counted, kept and given back; and that rules take none of it."""

import numpy as np
import pullback as pb
import pytest

MEGABYTE = 1 << 20
LARGE = 4 * MEGABYTE // 4


def large(value=1.0):
    x = pb.array(np.full(LARGE, value, np.float32))
    pb.eval(x)
    return x


def rest():
    """What stays where all is given back that can be: pages of the GPU of which some are in use."""
    pb.clear_cache()
    return pb.get_cache_memory()


def peak_of(run):
    """How many bytes more than before are in use at once while something runs."""
    run()
    before = pb.get_active_memory()
    pb.reset_peak_memory()
    run()
    return pb.get_peak_memory() - before


def test_what_is_in_use_is_counted(device):
    before = pb.get_active_memory()
    with pb.stream(device):
        x = large() + 1
        pb.eval(x)
        held = pb.get_active_memory() - before
        assert 4 * MEGABYTE <= held <= 11 * MEGABYTE
        assert pb.get_peak_memory() >= pb.get_active_memory()
        del x
        pb.synchronize()
        assert pb.get_active_memory() - before <= held - 4 * MEGABYTE


def test_the_peak_is_that_since_it_was_reset():
    x = large()
    high = pb.get_peak_memory()
    del x
    pb.reset_peak_memory()
    assert pb.get_peak_memory() <= high - 4 * MEGABYTE
    assert pb.get_peak_memory() >= pb.get_active_memory()


def test_what_is_free_is_kept_and_given_back():
    x = large()
    kept = pb.get_cache_memory()
    del x
    assert pb.get_cache_memory() >= kept + 4 * MEGABYTE
    kept = pb.get_cache_memory()
    assert rest() <= kept - 4 * MEGABYTE


def test_limits():
    before = pb.set_cache_limit(0)
    try:
        x = large()
        kept = rest()
        del x
        assert pb.get_cache_memory() <= kept
        assert pb.set_cache_limit(before) == 0
    finally:
        pb.set_cache_limit(before)
    kept = rest()
    before = pb.set_memory_limit(MEGABYTE)
    try:
        assert pb.get_memory_limit() == MEGABYTE
        x = large()
        del x
        # A block of another size: what is kept has to go before it is asked for.
        y = pb.array(np.zeros(3 * LARGE, np.float32))
        pb.eval(y)
        assert pb.get_cache_memory() < kept + 4 * MEGABYTE
    finally:
        pb.set_memory_limit(before)


@pytest.mark.parametrize("limit", [pb.set_cache_limit, pb.set_memory_limit])
def test_limits_that_are_none(limit):
    with pytest.raises(ValueError, match=rf"\[{limit.__name__}\] expected a number of bytes, got -1"):
        limit(-1)
    for wrong in ("much", 1.5, None):
        with pytest.raises(TypeError):
            limit(wrong)


def doors():
    """Each door around the same function."""
    sine = lambda x: pb.sin(x) * 1.01

    by_mlx = pb.custom_function(sine)
    by_mlx.vjp(lambda x, g, y: g * pb.cos(x))
    by_vjp = pb.custom_vjp(sine)
    by_vjp.defvjp(lambda x: (sine(x), x), lambda x, g: (g * pb.cos(x),))
    by_jvp = pb.custom_jvp(sine)
    by_jvp.defjvp(lambda p, t: (sine(*p), t[0] * pb.cos(p[0])))
    by_gradient = pb.custom_gradient(lambda x: (sine(x), lambda g: g * pb.cos(x)))

    class Sine(pb.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return sine(x)

        @staticmethod
        def backward(ctx, g):
            return g * pb.cos(ctx.saved_tensors[0])

    doors = {"custom_function": by_mlx, "custom_vjp": by_vjp, "custom_jvp": by_jvp}
    return sine, {**doors, "custom_gradient": by_gradient, "Function": Sine.apply}


PLAIN, DOORS = doors()


def chain(f):
    def run(x):
        for _ in range(20):
            x = f(x)
        return x

    return run


@pytest.mark.parametrize("door", DOORS)
def test_a_compiled_chain_takes_no_more_than_a_plain_one(door):
    x = large()

    def peak(f):
        compiled = pb.compile(chain(f))
        return peak_of(lambda: pb.eval(compiled(x)))

    # But for what each thread takes to work with: an array is 4 MiB.
    assert peak(DOORS[door]) <= peak(PLAIN) + MEGABYTE


@pytest.mark.parametrize("door", DOORS)
def test_nor_does_its_gradient(door):
    x = large()

    def peak(f):
        slope = pb.compile(pb.grad(lambda x: chain(f)(x).sum()))
        return peak_of(lambda: pb.eval(slope(x)))

    assert peak(DOORS[door]) <= peak(PLAIN) + MEGABYTE
