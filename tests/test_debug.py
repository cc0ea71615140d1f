"""`pb.debug.detect_anomaly`: where a NaN comes from."""

import threading
import warnings

import pullback as pb
import pytest

detect = pb.debug.detect_anomaly
ZERO = [0.0, 1.0]


def zero():
    return pb.array(ZERO)


@pb.custom_function
def ratio(x):
    return x * 2


@ratio.vjp
def ratio_vjp(x, g):
    return g * (x / x)  # 0/0 where x is zero


@ratio.jvp
def ratio_jvp(x, t):
    return t * (x / x)


FIRST = ratio.__code__.co_firstlineno
LINES = {"vjp": FIRST + 7, "jvp": FIRST + 12}


def caught(run, **options):
    with pytest.raises(pb.debug.AnomalyError) as error, detect(**options):
        run()
    return str(error.value)


def here():
    return f"{__file__}:"


def test_an_operation_and_its_line():
    text = caught(lambda: pb.log(zero() - 1).tolist())
    assert text.startswith("[log] expected no NaN, got one in float32[2] from (float32[2])\n  made at ")
    assert here() in text and text.endswith(str(caught.__code__.co_firstlineno + 11))


def test_it_is_a_value_error():
    assert issubclass(pb.debug.AnomalyError, ValueError)
    assert pb.debug.AnomalyError is pb.AnomalyError


def test_the_first_one_is_named_and_not_what_follows():
    def run():
        bad = pb.sqrt(zero() - 1)
        return (pb.exp(bad * 3) + 1).sum().item()

    assert "[sqrt]" in caught(run)


def test_one_that_is_masked_later_counts():
    def run():
        x = zero()
        return pb.where(x > 0.5, x / x, x).tolist()

    with pytest.raises(pb.AnomalyError, match=r"\[divide\]"), detect():
        run()
    assert run() == [0.0, 1.0]


def test_a_nan_that_was_given_is_not_made():
    nan = pb.array([float("nan"), 1.0])
    with detect():
        assert pb.isnan(pb.sin(nan) + pb.full((2,), float("nan"))).tolist() == [True, True]


def test_infinities_only_if_asked():
    with detect():
        assert pb.log(zero()).tolist()[0] == float("-inf")
    assert "[log] expected no inf" in caught(lambda: pb.log(zero()).tolist(), check_inf=True)
    # What has been given one does not make one.
    with detect(check_inf=True):
        pb.array(float("inf")) * 2


def test_the_derivative_of_an_operation():
    def run():
        x = zero()
        y = pb.sqrt(x)
        return y, pb.grad(lambda x: (pb.sqrt(x) * pb.array([0.0, 1.0])).sum())(x).tolist()

    text = caught(run)
    assert "in the derivative of [sqrt]" in text and here() in text


def test_pending_at_the_end_of_the_block():
    with pytest.raises(pb.AnomalyError, match=r"\[log\]"), detect():
        y = pb.log(zero() - 1)
    assert pb.isnan(y[0]).item()
    with detect():
        unused = pb.log(zero() - 1)
        del unused


def test_built_before_the_block():
    y = pb.log(zero() - 1)
    text = caught(lambda: y.tolist())
    assert "[log]" in text and "made before the watch began" in text


def test_an_exception_in_the_block_is_the_one_that_comes_out():
    with pytest.raises(KeyError), detect():
        y = pb.log(zero() - 1)
        raise KeyError
    assert pb.isnan(y[0]).item()


@pytest.mark.parametrize(
    "run,rule",
    [
        (lambda: pb.grad(lambda x: ratio(x).sum())(zero()).tolist(), "vjp"),
        (lambda: pb.jvp(ratio, [zero()], [zero()])[1][0].tolist(), "jvp"),
        (lambda: pb.vmap(pb.grad(ratio))(zero()).tolist(), "vjp"),
        (lambda: pb.grad(lambda x: pb.vmap(ratio)(x).sum())(zero()).tolist(), "vjp"),
        (lambda: pb.grad(pb.checkpoint(lambda x: ratio(x).sum()))(zero()).tolist(), "vjp"),
        (lambda: pb.compile(pb.grad(lambda x: ratio(x).sum()))(zero()).tolist(), "vjp"),
        (lambda: pb.compile(pb.vmap(pb.grad(ratio)))(zero()).tolist(), "vjp"),
    ],
)
def test_a_rule_is_named(run, rule):
    text = caught(run)
    assert f"in the {rule} rule of 'ratio'" in text and "[divide]" in text
    assert f"{__file__}:{LINES[rule]}" in text


def test_the_vmap_rule_and_the_body():
    f = pb.custom_function(lambda x: x / x)
    assert "in the body of '<lambda>'" in caught(lambda: pb.vmap(f)(zero()).tolist())
    f.vmap(lambda x, axis: (pb.log(x - 1), axis))
    assert "in the vmap rule of '<lambda>'" in caught(lambda: pb.vmap(f)(zero()).tolist())


def test_compiled_calls():
    @pb.compile
    def f(x):
        return pb.log(x - 1) + 1

    f(pb.array([3.0, 4.0]))  # traced before anybody watches
    text = caught(lambda: f(zero()).tolist())
    line = test_compiled_calls.__code__.co_firstlineno + 6
    assert "[log]" in text and f"in compiled 'f', called at {__file__}:{line}" in text


def test_frames_of_the_package_are_not_the_users():
    text = caught(lambda: pb.tree.tree_map(lambda x: pb.log(x - 1), [zero()])[0].tolist())
    assert here() in text
    text = caught(lambda: pb.utils.tree_map(pb.log, [zero() - 1])[0].tolist())
    assert here() in text


def test_warnings():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with detect(mode="warn"):
            assert pb.isnan(pb.log(zero() - 1)).tolist() == [True, False]
            y = pb.sqrt(zero() - 1)
    assert [w.category for w in said] == [pb.debug.AnomalyWarning] * 2
    assert [str(w.message)[:6] for w in said] == ["[log] ", "[sqrt]"]
    del y
    with pytest.raises(ValueError, match="expected mode to be 'raise' or 'warn', got 'x'"):
        detect(mode="x")


def test_nested_and_as_a_decorator():
    @detect()
    def f(x):
        with detect(check_inf=True):
            pass
        return pb.log(x)

    assert f(zero()).tolist() == [float("-inf"), 0.0]
    with pytest.raises(pb.AnomalyError):
        f(zero() - 1)
    assert pb.isnan(pb.log(zero() - 1)[0]).item()


def test_only_the_thread_that_watches():
    found = []

    def other():
        found.append(pb.isnan(pb.log(zero() - 1)).tolist())

    with detect():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == [[True, False]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_types(dtype):
    text = caught(lambda: (pb.array(ZERO, dtype) / pb.array(ZERO, dtype)).tolist())
    assert f"in {dtype}[2]" in text
    with detect(check_inf=True):
        pb.array(ZERO, dtype) * 2


def test_long_chains_and_many_operations():
    with detect():
        x = pb.array(1.0)
        for _ in range(5000):
            x = x * 1.0001
        x.eval()
    text = caught(lambda: pb.grad(lambda x: chain(x))(pb.array(0.0)).item())
    assert "derivative of [sqrt]" in text


def chain(x):
    y = x
    for _ in range(300):
        y = y * 1.0
    return pb.sqrt(y) * y


def test_nothing_is_left_behind():
    def run():
        with detect():
            pb.grad(lambda x: ratio(x).sum())(pb.array([1.0, 2.0])).tolist()

    run()
    before = pb._core._live_nodes()
    for _ in range(20):
        run()
    assert pb._core._live_nodes() <= before
