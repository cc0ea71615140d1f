"""`python -m pullback info` and `python -m pullback demo`."""

import argparse
import sys

import pullback as pb


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pullback", description="pullback, from the command line")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="version, devices, instruction set, caches: for a bug report")
    demo = commands.add_parser("demo", help="train a classifier of handwritten digits, with rules of its own")
    demo.add_argument("--device", choices=["cpu", "gpu"], help="only this one; both, if there is a GPU")
    demo.add_argument("--epochs", type=int, default=30)
    demo.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    if given.command == "info":
        print(pb.info(), end="")
        return 0
    from pullback import demo as room

    return room.run(given.device, given.epochs, given.seed)


if __name__ == "__main__":
    sys.exit(main())
