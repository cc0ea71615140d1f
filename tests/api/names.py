"""The public names of `mlx.core` 0.32.4, by module: `mlx_names.txt`."""

from pathlib import Path

# What has no meaning here, and why.
ELSEWHERE = {
    "cuda_kernel": "a kernel in CUDA's language",
    "precompiled_cuda_kernel": "a kernel in CUDA's language",
    "metal_kernel": "a kernel in Metal's language",
    "set_wired_limit": "a limit of macOS",
}


def read():
    """Names by module; `""` is `mlx.core` itself."""
    names = {}
    for line in Path(__file__).with_name("mlx_names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            found = names.setdefault(line.strip("[]").removeprefix("mlx.core").removeprefix("."), [])
        elif line and not line.startswith("#"):
            found += line.split()
    return names


NAMES = read()
