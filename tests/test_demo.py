"""The demo: it learns, its rules hold per example, its command line does what it says; the data it brings."""

import json
import subprocess
import sys

import numpy as np
import pullback as pb
import pytest
from pullback import demo
from pullback.data import digits
from pullback.testing import check_grads, check_rules, map_arrays


def call(*args, code=0):
    command = [sys.executable, "-m", "pullback", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_digits_are_the_ones_of_scikit_learn():
    x, y = digits()
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((1797, 64), pb.float32, (1797,), pb.int32)
    # Counts and sums as `sklearn.datasets.load_digits` has them.
    assert np.bincount(np.asarray(y)).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (x * 16).sum().item() == 561718
    assert (x[0] * 16).tolist()[:8] == [0, 0, 5, 13, 9, 1, 0, 0]
    assert (x.min().item(), x.max().item()) == (0, 1)


def test_data_and_demo_need_no_numpy():
    code = (
        "import sys; sys.modules['numpy'] = None; from pullback import demo; demo.run(epochs=1, quiet=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_learns(device):
    found = demo.run(str(device).split("(")[1].split(",")[0], epochs=5, seed=1, quiet=True)
    assert found["checks"]["passed"], found["checks"]
    assert found["accuracy"] > 0.9 and len(found["accuracies"]) == len(found["losses"]) == 5
    assert found["losses"][-1] < 0.3 * found["losses"][0]
    assert found["steps"] == 5 * (1198 // demo.BATCH) and found["ms_per_step"] > 0


def test_it_reaches_what_it_promises():
    assert demo.run("cpu", seed=2, quiet=True)["accuracy"] >= demo.ENOUGH


def by_hand(params, images, labels):
    """The clipped gradients and their lengths before that, by formulas of their own, in NumPy's `float64`."""
    w0, b0, w1, b1 = (np.asarray(params[name], "f8") for name in ("w0", "b0", "w1", "b1"))
    total, lengths = {}, []
    for x, y in zip(np.asarray(images, "f8"), np.asarray(labels), strict=True):
        before = x @ w0 + b0
        hidden = np.round(np.clip(before, 0, 1) * (demo.LEVELS - 1)) / (demo.LEVELS - 1)
        scores = hidden @ w1 + b1
        off = np.exp(scores - scores.max())
        off = off / off.sum() - np.eye(10)[y]
        back = (w1 @ off) * ((before > 0) & (before < 1))
        gradient = {"w0": np.outer(x, back), "b0": back, "w1": np.outer(hidden, off), "b1": off}
        lengths.append(np.sqrt(sum((g**2).sum() for g in gradient.values())))
        for name, g in gradient.items():
            total[name] = total.get(name, 0) + g * min(1, demo.LIMIT / lengths[-1])
    return total, lengths


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_example_is_clipped_by_itself(seed, compiled, device, monkeypatch):
    x, y, _, _, key = demo.split(seed, False)
    x, y, params = x[:24], y[:24], demo.start(key)
    # At first all gradients are long: with this limit some are clipped and some are not.
    monkeypatch.setattr(demo, "LIMIT", 5.0)
    gradient = pb.grad(demo.loss)
    got = (pb.compile(gradient) if compiled else gradient)(params, x, y)
    want, lengths = by_hand(params, x, y)
    assert min(lengths) < demo.LIMIT < max(lengths)
    for name, g in want.items():
        np.testing.assert_allclose(np.asarray(got[name]), g, rtol=1e-4, atol=1e-5)


def test_the_check_sees_a_rule_that_does_not_hold(monkeypatch):
    x, y, _, _, key = demo.split(0, True)
    params = demo.start(key)
    assert demo.check_clipped(params, x[:8], y[:8])["apart"] < demo.NEAR
    monkeypatch.setattr(demo, "clipped", lambda params: params)
    found = demo.check_clipped(params, x[:8], y[:8])
    assert found["apart"] == pytest.approx(found["if_lost"]) and found["apart"] > 0.1
    assert found["if_on_the_sum"] > 0.1 and found["share_clipped"] > 0
    assert demo.check_quantise() == 0
    monkeypatch.setattr(demo, "quantise", lambda x: pb.round(pb.clip(x, 0, 1) * 7) / 7)
    assert demo.check_quantise() == 1


def test_rules_of_the_demo(device):
    x = pb.array([-0.2, 0.1, 0.45, 0.83, 1.3])
    report = check_rules(demo.quantise, [x], like=lambda x: pb.clip(x, 0, 1))
    assert "ok    vjp against what is meant" in report and "vmap over 0: vjp" in report
    assert len(set(demo.quantise(pb.linspace(-1, 2, 1000)).tolist())) == demo.LEVELS
    params = map_arrays(lambda p: p * 0.01, demo.start(pb.random.key(0)))
    # Where nothing is clipped, the rule is the derivative of the identity.
    check_grads(lambda p: demo.norm(demo.clipped(p)), [params], modes=["rev"])
    long = pb.grad(lambda p: 100 * demo.norm(demo.clipped(p)))(params)
    assert demo.norm(long).item() == pytest.approx(demo.LIMIT, rel=1e-5)


def test_seeds():
    one, again, other = (demo.run("cpu", 1, seed, quiet=True, quick=True) for seed in (3, 3, 4))
    assert one["losses"] == again["losses"] != other["losses"]


def test_wrong_use():
    with pytest.raises(ValueError, match="expected device"):
        demo.run("tpu")
    with pytest.raises(ValueError, match="at least one epoch"):
        demo.run("cpu", 0)
    assert "expected at least one epoch" in call("demo", "--epochs", "0", code=2).stderr
    assert "invalid choice" in call("demo", "--device", "tpu", code=2).stderr
    assert "required" in call(code=2).stderr


def test_plain_output():
    out = call("demo", "--device", "cpu", "--quick").stdout
    assert "\r" not in out and "both hold" in out and "ms per step" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("  epoch")] == ["1/2", "2/2"]


def test_json_output():
    out = call("demo", "--device", "cpu", "--epochs", "1", "--seed", "5", "--json").stdout
    found = json.loads(out)
    assert out.count("\n") == 1 and found["version"] == pb.__version__
    (run,) = found["devices"].values()
    assert run["checks"]["passed"] and run["ms_per_step"] > 0 and (run["seed"], run["epochs"]) == (5, 1)


def test_bar_on_a_terminal(monkeypatch, capsys):
    screen = demo.Screen(False)
    screen.live = True
    for i in range(1, 4):
        screen.drawn = 0.0
        screen.bar(i, 3, f"step {i}")
    out = capsys.readouterr().out
    assert out.count("\r") == 3 and out.count("\n") == 1 and "[" + "#" * 20 + "] step 3" in out
    screen.epoch(1, 1, "not said twice")
    assert not capsys.readouterr().out


def test_info_and_version():
    out = call("info").stdout
    assert "cpu:" in out and "gpu" in out and "python: 3." in out
    assert call("--version").stdout == f"pullback {pb.__version__}\n"
