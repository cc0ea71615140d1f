"""`python -m pullback info` and `python -m pullback demo`."""

import argparse
import importlib.util
import platform
import sys

import pullback as pb


def info() -> str:
    """Return what one pastes into a bug report."""
    lines = [pb.info().rstrip()]
    lines.append(
        f"python: {platform.python_version()} {platform.python_implementation()}, {platform.platform()}"
    )
    if importlib.util.find_spec("numpy"):
        from importlib.metadata import version

        lines.append(f"numpy: {version('numpy')}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pullback", description="pullback, from the command line")
    parser.add_argument("--version", action="version", version=f"pullback {pb.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="version, devices, instruction set, caches: for a bug report")
    demo = commands.add_parser("demo", help="train a classifier of handwritten digits, with rules of its own")
    demo.add_argument("--device", choices=["cpu", "gpu"], help="only this one; both, if there is a GPU")
    demo.add_argument("--epochs", type=int, default=None, help="30 if not given, 2 with --quick")
    demo.add_argument("--seed", type=int, default=0, help="of the split, the weights and the batches")
    demo.add_argument(
        "--quick", action="store_true", help="half the images, fewer epochs: only to see it run"
    )
    demo.add_argument("--json", action="store_true", help="print one line of JSON and nothing else")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it says; return the exit status."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.command == "info":
        print(info())
        return 0
    from pullback import demo

    epochs = given.epochs if given.epochs is not None else 2 if given.quick else demo.EPOCHS
    if epochs < 1:
        parser.error(f"expected at least one epoch, got {epochs}")
    try:
        return demo.main(given.device, epochs, given.seed, given.quick, given.json)
    except pb.DeviceError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
