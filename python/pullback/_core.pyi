# Written by crates/py/stubs.py from the op table: do not edit.
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, final, overload

from pullback._devices import DeviceType
from typing_extensions import disjoint_base

_P = ParamSpec("_P")
_R = TypeVar("_R")

class _SupportsArray(Protocol):
    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...

class _SupportsBuffer(Protocol):
    def __buffer__(self, flags: int, /) -> memoryview: ...

class _SupportsDLPack(Protocol):
    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...

_Scalar = bool | int | float | complex
_ArrayLike = array | _Scalar | _SupportsArray | _SupportsBuffer | _SupportsDLPack | Sequence[Any]
_DtypeLike = Dtype | str | type
_StreamOrDevice = Device | DeviceType | Stream | ThreadLocalStream | str | None

@final
class Dtype:
    """
    The type of an array's elements: `pb.float32`, `pb.int64`, ...

    >>> pb.float32.size
    4
    >>> pb.Dtype("int8") == pb.int8
    True
    """
    def __new__(cls, name: _DtypeLike) -> Self: ...
    @property
    def size(self) -> int: ...
    @property
    def name(self) -> str: ...
    def __hash__(self) -> int: ...

@final
class finfo:
    """
    The limits of a float type; of `complex64`, those of its parts.

    `bits` of an element, `min` and `max`, `eps` from 1 to the next larger number, `smallest_normal`, and `dtype`.
    A `ValueError` for integers and booleans.

    >>> pb.finfo(pb.bfloat16).eps
    0.0078125
    >>> pb.finfo(pb.complex64).dtype
    pullback.float32
    """
    def __new__(cls, arg: _DtypeLike, /) -> Self: ...
    @property
    def bits(self) -> int: ...
    @property
    def min(self) -> float: ...
    @property
    def max(self) -> float: ...
    @property
    def eps(self) -> float: ...
    @property
    def smallest_normal(self) -> float: ...
    @property
    def dtype(self) -> Dtype: ...

@final
class iinfo:
    """
    The limits of an integer type: `bits` of an element, `min`, `max` and `dtype`.

    A `ValueError` for other types, and booleans are not integers.

    >>> pb.iinfo(pb.int8)
    iinfo(min=-128, max=127, dtype=int8)
    """
    def __new__(cls, arg: _DtypeLike, /) -> Self: ...
    @property
    def bits(self) -> int: ...
    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int: ...
    @property
    def dtype(self) -> Dtype: ...

@final
class Device:
    """
    A device: `pb.cpu` or `pb.gpu`.

    >>> pb.cpu
    Device(cpu, 0)
    """
    def __new__(cls, kind: _StreamOrDevice, index: int = 0, /) -> Self: ...
    @property
    def type(self) -> DeviceType: ...
    def __hash__(self) -> int: ...

@final
class Stream:
    """
    The order of work on a device: `pb.default_stream(device)`, or one that `pb.new_stream` made.

    >>> pb.default_stream(pb.cpu)
    Stream(Device(cpu, 0), 0)
    """
    @property
    def device(self) -> Device: ...
    @property
    def index(self) -> int: ...
    def __hash__(self) -> int: ...

@final
class ThreadLocalStream:
    """A stream of a device for each thread that uses it: what `pb.new_thread_local_stream` makes."""
    @property
    def device(self) -> Device: ...
    @property
    def _device(self) -> Device: ...
    def __hash__(self) -> int: ...

@final
class StreamContext:
    """What `with pb.stream(...)` holds."""
    def __new__(cls, s: _StreamOrDevice) -> Self: ...
    def __enter__(self) -> StreamContext: ...
    def __exit__(self, *exception: Any) -> None: ...

@final
class ArrayAt:
    """What `x.at` is: it waits for its indices."""
    def __getitem__(self, key: Any, /) -> ArrayAtIndices: ...

@final
class ArrayAtIndices:
    """What `x.at[i]` is: it waits for the update."""
    def set(self, value: _ArrayLike) -> array: ...
    def add(self, value: _ArrayLike) -> array: ...
    def subtract(self, value: _ArrayLike) -> array: ...
    def multiply(self, value: _ArrayLike) -> array: ...
    def divide(self, value: _ArrayLike) -> array: ...
    def maximum(self, value: _ArrayLike) -> array: ...
    def minimum(self, value: _ArrayLike) -> array: ...

class RuleError(ValueError):
    """A rule of a custom function is missing, returned something unfit, or cannot be transposed."""
class DeviceError(RuntimeError):
    """A device is missing, was lost, or failed."""
class InternalError(RuntimeError):
    """A bug in the engine itself, not in the program that uses it."""
class AnomalyError(ValueError):
    """An operation made a NaN (or an infinity) while `pb.debug.detect_anomaly` was watching."""
class AnomalyWarning(UserWarning):
    """As `AnomalyError`, from a watch that only warns."""
class RuleFallbackWarning(UserWarning):
    """A derivative was taken from a function's body, although the function has a rule for the other mode."""

__version__: str
cpu: Device
gpu: Device

def _category(dtype: _DtypeLike) -> str:
    """The name of the smallest category that a type is in."""
def _from_bytes(content: _SupportsBuffer, shape: int | Sequence[int], dtype: _DtypeLike, /) -> array:
    """An array of the bytes of its elements, row-major and low bytes first: the other way from a buffer of `x`."""
def _precision() -> int:
    """The most digits after the point with which arrays print; -1 for the default."""
def _set_precision(precision: int, /) -> None:
    """Sets the most digits after the point."""
def _host_call(fn: Callable[..., Any], result_shape: Any, args: tuple[Any, ...], vmap_method: str | None = None) -> Any:
    """
    As `pure_callback`, for functions of ours: `fn(*args)` gets arrays of pullback, on the device of the call, and
    returns such.
    """
def _debug_print(fn: Callable[..., Any], token: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """
    Calls `fn(*args, **kwargs)` for its effect, with NumPy arrays: now, once for each example of the maps that are open;
    where a record is made of values that are not there yet, whenever the record's results are computed.
    """
def _placed(function: Callable[..., _R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _R:
    """
    Calls a function of the namespace: what it builds is placed on the device that `device=` names, else on that of
    its operands, else on the one that is current.
    """
bfloat16: Dtype
bool_: Dtype
complex64: Dtype
float16: Dtype
float32: Dtype
float64: Dtype
int16: Dtype
int32: Dtype
int64: Dtype
int8: Dtype
uint16: Dtype
uint32: Dtype
uint64: Dtype
uint8: Dtype

@final
class array:
    """
    An array: a shape, a type of elements, and elements that are computed when somebody asks.

    >>> pb.array([[1, 2], [3, 4]])
    array([[1, 2],
           [3, 4]], dtype=int32)
    >>> pb.array([1.5, 2]) * 2
    array([3., 4.], dtype=float32)

    Python's integers become `int32` (`int64` if one does not fit), its floats `float32`; a number next to an
    array takes the array's type.
    """
    __array_priority__: float
    def __new__(cls, value: _ArrayLike, dtype: _DtypeLike | None = None) -> Self: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every axis."""
    @property
    def ndim(self) -> int:
        """Number of axes."""
    @property
    def size(self) -> int:
        """Number of elements."""
    @property
    def dtype(self) -> Dtype:
        """The type of the elements."""
    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
    @property
    def T(self) -> array:
        """The axes in reverse order."""
    @property
    def mT(self) -> array:
        """The last two axes exchanged."""
    @property
    def real(self) -> array:
        """The real part of complex numbers."""
    @property
    def imag(self) -> array:
        """The imaginary part of complex numbers."""
    @property
    def at(self) -> ArrayAt:
        """
        Updates that return a new array: `x.at[i].add(v)`, `subtract`, `multiply`, `divide`, `maximum`, `minimum`.
        Where a position is named twice, both updates count.

        >>> pb.zeros(3).at[pb.array([0, 0, 2])].add(1)
        array([2., 0., 1.], dtype=float32)
        """
    @property
    def device(self) -> Device:
        """
        The device for which the array is built, or was.

        >>> pb.array(1.0, dtype=pb.float32).device
        Device(cpu, 0)
        """
    def __add__(self, other: Any, /) -> array: ...
    def __radd__(self, other: Any, /) -> array: ...
    def __iadd__(self, other: Any, /) -> array: ...
    def __sub__(self, other: Any, /) -> array: ...
    def __rsub__(self, other: Any, /) -> array: ...
    def __isub__(self, other: Any, /) -> array: ...
    def __mul__(self, other: Any, /) -> array: ...
    def __rmul__(self, other: Any, /) -> array: ...
    def __imul__(self, other: Any, /) -> array: ...
    def __truediv__(self, other: Any, /) -> array: ...
    def __rtruediv__(self, other: Any, /) -> array: ...
    def __itruediv__(self, other: Any, /) -> array: ...
    def __floordiv__(self, other: Any, /) -> array: ...
    def __rfloordiv__(self, other: Any, /) -> array: ...
    def __ifloordiv__(self, other: Any, /) -> array: ...
    def __mod__(self, other: Any, /) -> array: ...
    def __rmod__(self, other: Any, /) -> array: ...
    def __imod__(self, other: Any, /) -> array: ...
    def __pow__(self, other: Any, mod: Any = None, /) -> array: ...
    def __rpow__(self, other: Any, mod: Any = None, /) -> array: ...
    def __ipow__(self, other: Any, mod: Any = None, /) -> array: ...
    def __matmul__(self, other: Any, /) -> array: ...
    def __rmatmul__(self, other: Any, /) -> array: ...
    def __imatmul__(self, other: Any, /) -> array: ...
    def __and__(self, other: Any, /) -> array: ...
    def __rand__(self, other: Any, /) -> array: ...
    def __iand__(self, other: Any, /) -> array: ...
    def __or__(self, other: Any, /) -> array: ...
    def __ror__(self, other: Any, /) -> array: ...
    def __ior__(self, other: Any, /) -> array: ...
    def __xor__(self, other: Any, /) -> array: ...
    def __rxor__(self, other: Any, /) -> array: ...
    def __ixor__(self, other: Any, /) -> array: ...
    def __lshift__(self, other: Any, /) -> array: ...
    def __rlshift__(self, other: Any, /) -> array: ...
    def __ilshift__(self, other: Any, /) -> array: ...
    def __rshift__(self, other: Any, /) -> array: ...
    def __rrshift__(self, other: Any, /) -> array: ...
    def __irshift__(self, other: Any, /) -> array: ...
    def __lt__(self, other: Any, /) -> array: ...
    def __le__(self, other: Any, /) -> array: ...
    def __gt__(self, other: Any, /) -> array: ...
    def __ge__(self, other: Any, /) -> array: ...
    def __eq__(self, other: Any, /) -> array: ...  # type: ignore[override]
    def __ne__(self, other: Any, /) -> array: ...  # type: ignore[override]
    def __neg__(self) -> array: ...
    def __pos__(self) -> array: ...
    def __abs__(self) -> array: ...
    def __invert__(self) -> array: ...
    def __copy__(self) -> array: ...
    def __deepcopy__(self, memo: Any, /) -> array: ...
    def __getitem__(self, key: Any, /) -> array: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...
    def __iter__(self) -> Iterator[array]: ...
    def __reversed__(self) -> Iterator[array]: ...
    def __divmod__(self, other: Any, /) -> tuple[array, array]: ...
    def __rdivmod__(self, other: Any, /) -> tuple[array, array]: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: ...
    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any: ...
    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """
        The namespace of the array API standard, `pullback.array_api`; another version of it is a `ValueError`.

        >>> pb.array(1.0).__array_namespace__().__name__
        'pullback.array_api'
        """
    def _repr_html_(self) -> str: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def __contains__(self, value: Any, /) -> bool: ...
    def __bytes__(self) -> bytes: ...
    def __setstate__(self, state: tuple[bytes, list[int], Dtype], /) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __complex__(self) -> complex: ...
    def __index__(self) -> int: ...
    def __hash__(self) -> int: ...
    def eval(self) -> None:
        """Computes the elements now."""
    def abs(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def all(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Whether no element along axes is zero.

        >>> pb.all(pb.array([0, 1])).item()
        False
        """
    def any(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Whether any element along axes is not zero.

        >>> pb.any(pb.array([0, 1])).item()
        True
        """
    def argmax(self, /, axis: None | int = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Position of the largest element along an axis (of all elements, if none is named), as `uint32`.

        >>> pb.argmax(pb.array([2, 5, 3])).item()
        1
        """
    def argmin(self, /, axis: None | int = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Position of the smallest element along an axis, as `uint32`.

        >>> pb.argmin(pb.array([2, 5, 3])).item()
        0
        """
    def astype(self, /, dtype: _DtypeLike, stream: _StreamOrDevice = None) -> array:
        """
        The elements as another type.

        >>> pb.array([1.7]).astype(pb.int32).item()
        1
        """
    def conj(self, /, *, stream: _StreamOrDevice = None) -> array:
        """The complex conjugate."""
    def cos(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def cummax(self, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
        """
        Running maximum along an axis.

        >>> pb.cummax(pb.array([1, 3, 2]))
        array([1, 3, 3], dtype=int32)
        """
    def cummin(self, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
        """
        Running minimum along an axis.

        >>> pb.cummin(pb.array([3, 1, 2]))
        array([3, 1, 1], dtype=int32)
        """
    def cumprod(self, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
        """
        Running product along an axis, as `cumsum`.

        >>> pb.cumprod(pb.array([1, 2, 3]))
        array([1, 2, 6], dtype=int32)
        """
    def cumsum(self, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
        """
        Running sum along an axis (over all elements, if none is named), of the elements as `dtype`, if one is given.

        >>> pb.cumsum(pb.array([1, 2, 3]))
        array([1, 3, 6], dtype=int32)
        """
    def diag(self, /, k: int = 0, *, stream: _StreamOrDevice = None) -> array:
        """A diagonal of a matrix, or a matrix with the diagonal given."""
    def diagonal(self, /, offset: int = 0, axis1: int = 0, axis2: int = 1, *, stream: _StreamOrDevice = None) -> array:
        """The elements of a diagonal."""
    def exp(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def flatten(self, /, start_axis: int = 0, end_axis: int = -1, *, stream: _StreamOrDevice = None) -> array:
        """Axes from one to another as one."""
    def item(self, /) -> Any:
        """
        The only element, as a Python number.

        >>> pb.array(2.5).item()
        2.5
        """
    def log(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def log10(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def log1p(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def log2(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def logcumsumexp(self, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
        """
        Running `log(sum(exp(a)))` along an axis, without overflow.

        >>> pb.logcumsumexp(pb.array([1000.0, 1000.0]))[0].item()
        1000.0
        """
    def logsumexp(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Logarithm of the sum of exponentials over axes, without overflow.

        >>> pb.logsumexp(pb.array([1000.0, 1000.0])).item() > 1000
        True
        """
    def max(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Largest element along axes.

        >>> pb.max(pb.array([2, 5, 3])).item()
        5
        """
    def mean(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Mean over axes.

        >>> pb.mean(pb.array([1.0, 2.0, 6.0])).item()
        3.0
        """
    def min(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Smallest element along axes.

        >>> pb.min(pb.array([2, 5, 3])).item()
        2
        """
    def moveaxis(self, /, source: int, destination: int, *, stream: _StreamOrDevice = None) -> array:
        """An axis moved to another place."""
    def prod(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Product over axes.

        >>> pb.prod(pb.array([2, 3, 4])).item()
        24
        """
    def reciprocal(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def reshape(self, /, *shape: int | Sequence[int], stream: _StreamOrDevice = None) -> array:
        """The same elements in another shape; one size may be -1."""
    def round(self, /, decimals: int = 0, *, stream: _StreamOrDevice = None) -> array:
        """The nearest number with so many decimals; halves go to the even one."""
    def rsqrt(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def sin(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def split(self, /, indices_or_sections: int | Sequence[int], axis: int = 0, *, stream: _StreamOrDevice = None) -> list[array]:
        """An array cut along an axis, into so many equal parts or before these positions."""
    def sqrt(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def square(self, /, *, stream: _StreamOrDevice = None) -> array:
        """As the function."""
    def squeeze(self, /, axis: None | int | Sequence[int] = None, *, stream: _StreamOrDevice = None) -> array:
        """Axes of size 1 taken out; all of them, if none is named."""
    def std(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None, stream: _StreamOrDevice = None) -> array:
        """
        Standard deviation over axes; `correction` or else `ddof` is taken off the count.

        >>> pb.std(pb.array([1.0, 3.0])).item()
        1.0
        """
    def sum(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        Sum over axes; over all of them if none is named. Booleans are counted.

        >>> pb.sum(pb.array([[1, 2], [3, 4]]), axis=0)
        array([4, 6], dtype=int32)
        """
    def swapaxes(self, /, axis1: int, axis2: int, *, stream: _StreamOrDevice = None) -> array:
        """Two axes exchanged."""
    def to_device(self, device: Device | DeviceType | str, /, *, stream: _StreamOrDevice = None) -> array:
        """
        The array on a device, where it stays: operators on it run there, whatever device is current. `stream` is there
        for the standard: order follows from the graph.

        >>> pb.array([1.0, 2.0]).to_device(pb.cpu)
        array([1., 2.], dtype=float32)
        """
    def tolist(self, /) -> Any:
        """
        The elements in nested lists.

        >>> pb.array([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
    def transpose(self, /, *axes: int | Sequence[int] | None, stream: _StreamOrDevice = None) -> array:
        """The axes in another order; in reverse, if none is named."""
    def var(self, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None, stream: _StreamOrDevice = None) -> array:
        """
        Variance over axes, real of complex numbers; `correction` or else `ddof` is taken off the count.

        >>> pb.var(pb.array([1.0, 3.0])).item()
        1.0
        """
    def view(self, /, dtype: _DtypeLike, *, stream: _StreamOrDevice = None) -> array:
        """The same bytes read as elements of another type."""

def grad(fun: Callable[..., Any], argnums: None | int | Sequence[int] = None, argnames: None | str | Sequence[str] = None, *, has_aux: bool = False) -> Callable[..., Any]:
    """
    A function that returns the gradient of `fun`.

    `fun` returns a scalar, or a tuple that starts with one; the rest of the tuple is not differentiated.
    `argnums` says by which positional arguments to differentiate (one, or several for a tuple of gradients),
    `argnames` by which keyword arguments (a dict of gradients, after those by position). Arguments are arrays or
    trees of them. With `has_aux`, what else `fun` returns is returned after the gradients.

    >>> pb.grad(lambda x: x**3)(pb.array(2.0)).item()
    12.0
    >>> pb.grad(lambda p: (p["w"] * p["b"]).sum())({"w": pb.array([1.0, 2.0]), "b": pb.array(3.0)})["b"].item()
    3.0
    """
def value_and_grad(fun: Callable[..., Any], argnums: None | int | Sequence[int] = None, argnames: None | str | Sequence[str] = None, *, has_aux: bool = False) -> Callable[..., Any]:
    """
    A function that returns what `fun` returns, and its gradient; see `grad`.

    >>> value, slope = pb.value_and_grad(lambda x: x * x)(pb.array(3.0))
    >>> value.item(), slope.item()
    (9.0, 6.0)
    """
def vmap(fun: Callable[_P, _R], in_axes: Any = 0, out_axes: Any = 0, *, axis_size: int | None = None) -> Callable[_P, _R]:
    """
    `fun`, mapped over axes of its arguments.

    `in_axes` says over which: one integer for all arguments, or a tuple with an integer, `None` (not mapped) or a
    tree of these for each. `out_axes` says where the mapped axis stands in what is returned; `None` where a result
    does not depend on what was mapped. Keyword arguments are mapped over their first axis. `axis_size` is needed
    only where nothing is mapped.

    >>> pb.vmap(lambda x, y: x * y, in_axes=(0, None))(pb.array([1, 2]), pb.array([3, 4]))
    array([[3, 4],
           [6, 8]], dtype=int32)
    """
@overload
def checkpoint(fun: Callable[_P, _R], policy: Any = None) -> Callable[_P, _R]:
    """
    `fun`, which keeps no intermediate values for its gradient, and computes them again instead.

    `policy` says which values are kept all the same: one of `pb.checkpoint_policies`, which know values by the names
    that `pb.checkpoint_name` gives them. Without `fun` it is a decorator. Rules are used as they are without it, and
    random numbers are drawn once.

    >>> pb.grad(pb.checkpoint(lambda x: pb.sin(pb.sin(x))))(pb.array(0.0)).item()
    1.0
    >>> @pb.checkpoint(policy=pb.checkpoint_policies.save_only_these_names("root"))
    ... def f(x):
    ...     return pb.checkpoint_name(pb.sqrt(x), "root") ** 3
    >>> pb.grad(f)(pb.array(4.0)).item()
    3.0
    """
@overload
def checkpoint(fun: None = None, policy: Any = None) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...
def compile(fun: Callable[_P, _R], inputs: Any = None, outputs: Any = None, shapeless: bool = False) -> Callable[_P, _R]:
    """
    `fun`, whose Python code runs once for each structure of its arguments: shapes, types, and the values of what
    is no array. `inputs` are lists or dicts of arrays that `fun` reads, `outputs` such that it changes. The state of
    `pb.random` is read and changed without being named. A rule registered later is used.

    >>> f = pb.compile(lambda x: pb.exp(x) + 1)
    >>> f(pb.array(0.0)).item()
    2.0
    """

@disjoint_base
class _Custom(Generic[_P, _R]):
    @property
    def __wrapped__(self) -> Callable[_P, _R]: ...
    def __new__(cls, fun: Callable[_P, _R], *, missing: str = "derive", captured: str = "error", bind: bool = True) -> Self: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    @overload
    def __get__(self, instance: None, owner: Any = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: Any = None, /) -> Callable[..., _R]: ...
    def _define(
        self,
        *,
        style: str = "call",
        forward: Callable[..., Any] | None = None,
        vjp: Callable[..., Any] | None = None,
        jvp: Callable[..., Any] | None = None,
        vmap: Callable[..., Any] | None = None,
        symbolic_vjp: bool = False,
        symbolic_jvp: bool = False,
        once: bool = False,
        nondiff: Sequence[int] = ...,
    ) -> None: ...

@final
class _Call:
    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def kwargs(self) -> dict[str, Any]: ...
    @property
    def outputs(self) -> Any: ...

@final
class _Context:
    @property
    def needs_input_grad(self) -> tuple[bool, ...]: ...
    @property
    def saved_tensors(self) -> tuple[Any, ...]: ...
    def save_for_backward(self, *arrays: Any) -> None: ...
    def save_for_forward(self, *arrays: Any) -> None: ...
    def mark_non_differentiable(self, *outputs: Any) -> None: ...
    def mark_dirty(self, *inputs: Any) -> None: ...
    def set_materialize_grads(self, value: object) -> None: ...

@final
class _Passes:
    def __new__(cls) -> Self: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def _replace(
        self, forward: Callable[..., Any], setup: Callable[..., Any] | None, inputs: Callable[..., Any] | None
    ) -> None: ...

@final
class _Applied(_Custom[..., Any]):
    def __new__(cls, fun: Callable[..., Any], *, captured: str = "error") -> Self: ...

@final
class _Apply:
    def __new__(cls, open: Callable[[type], _Applied]) -> Self: ...
    def __get__(self, instance: object, owner: Any = None, /) -> _Applied: ...

@final
class _Output:
    def __new__(cls, fun: Callable[..., Any]) -> Self: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class custom_function(_Custom[_P, _R]):
    """
    A function with rules of its own for derivatives and batches.

    Rules are registered by its methods `vjp`, `jvp` and `vmap`, as decorators, and hold under every
    composition of transforms.

    >>> @pb.custom_function
    ... def f(x, y):
    ...     return pb.sin(x) * y
    >>> @f.vjp
    ... def f_vjp(primals, cotangent, output):
    ...     x, y = primals
    ...     return 10 * cotangent * pb.cos(x) * y, cotangent * pb.sin(x)
    >>> pb.grad(f)(pb.array(0.0), pb.array(2.0)).item()
    20.0

    `missing` says what happens where a derivative has no rule: `"body"` differentiates the function itself,
    `"derive"` transposes the other rule, `"error"` raises. `captured` says what arrays from outside are to the
    function: `"constant"`, `"error"` or `"differentiate"`.
    """
    def __new__(cls, fun: Callable[_P, _R], *, missing: str = "body", captured: str = "constant") -> Self: ...
    @overload
    def vjp(self, rule: Callable[..., Any], *, symbolic_zeros: bool = False) -> custom_function[_P, _R]: ...
    @overload
    def vjp(self, rule: None = None, *, symbolic_zeros: bool = False) -> Callable[[Callable[..., Any]], custom_function[_P, _R]]: ...
    @overload
    def jvp(self, rule: Callable[..., Any], *, symbolic_zeros: bool = False) -> custom_function[_P, _R]: ...
    @overload
    def jvp(self, rule: None = None, *, symbolic_zeros: bool = False) -> Callable[[Callable[..., Any]], custom_function[_P, _R]]: ...
    @overload
    def vmap(self, rule: Callable[..., Any]) -> custom_function[_P, _R]: ...
    @overload
    def vmap(self, rule: None = None) -> Callable[[Callable[..., Any]], custom_function[_P, _R]]: ...


_C = TypeVar("_C", bound=type)

@final
class TreeDef:
    """
    The structure of a tree: what is left of it when its leaves are taken out.

    >>> leaves, structure = pb.tree.tree_flatten({"w": pb.array(1.0), "b": [pb.array(2.0), None]})
    >>> structure
    TreeDef({'w': *, 'b': [*, None]})
    >>> structure.unflatten(["x", "y"])
    {'w': 'x', 'b': ['y', None]}
    """
    @property
    def num_leaves(self) -> int: ...
    def unflatten(self, leaves: Iterable[Any]) -> Any: ...
    def flatten_up_to(self, tree: Any, exact: bool = True) -> list[Any]: ...
    def paths(self) -> list[tuple[Any, ...]]: ...
    def names(self, root: str) -> list[str]: ...
    def __hash__(self) -> int: ...

def register_tree_node(cls: type, flatten: Callable[[Any], tuple[Iterable[Any], Any]], unflatten: Callable[[Any, Any], Any]) -> None:
    """
    Makes the objects of a class nodes of trees: every function of trees looks into them. `flatten(node)` returns
    `(children, aux)`; `unflatten(aux, children)` makes a node of other children. What is in `aux` is no tree, and is
    compared by `==`. Subclasses are registered by themselves.

    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> pb.register_tree_node(Pair, lambda p: ((p.a, p.b), None), lambda aux, children: Pair(*children))
    >>> pb.grad(lambda p: p.a * p.b)(Pair(pb.array(2.0), pb.array(3.0))).a.item()
    3.0
    """
def register_tree_node_class(cls: _C) -> _C:
    """
    As `register_tree_node`, as a decorator of a class with the method `tree_flatten(self)` and the class method
    `tree_unflatten(cls, aux, children)`.

    >>> @pb.register_tree_node_class
    ... class Box:
    ...     def __init__(self, value):
    ...         self.value = value
    ...     def tree_flatten(self):
    ...         return (self.value,), None
    ...     @classmethod
    ...     def tree_unflatten(cls, aux, children):
    ...         return cls(*children)
    >>> pb.vmap(lambda box: Box(box.value * 2))(Box(pb.array([1, 2]))).value
    array([2, 4], dtype=int32)
    """
def register_module(cls: _C) -> _C:
    """
    Makes the objects of a class, and of its subclasses, trees of their attributes, and returns it: a decorator. What
    is no array in them, and in the containers they hold, stays as it is. They are made again without `__init__`. The
    class attribute `__pullback_module__ = True` does the same.

    >>> @pb.register_module
    ... class Linear:
    ...     def __init__(self, weight, name):
    ...         self.weight, self.name = weight, name
    ...     def __call__(self, x):
    ...         return self.weight * x
    >>> slope = pb.grad(lambda layer, x: layer(x))(Linear(pb.array(2.0), "first"), pb.array(3.0))
    >>> slope.weight.item(), slope.name
    (3.0, 'first')
    """
def _tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None, nones: bool = False) -> tuple[list[Any], TreeDef]: ...
def _graph(fun: Callable[..., Any], names: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]: ...
def _watch_start(infinite: bool, warn: bool) -> None: ...
def _watch_stop(finish: bool) -> None: ...
def _record(fun: Callable[..., Any], example_args: tuple[Any, ...]) -> Any: ...
def _unique(a: _ArrayLike, size: int, fill_value: _ArrayLike | None = None, *, stream: _StreamOrDevice = None) -> tuple[array, array, array, array]: ...
def _count_distinct(a: _ArrayLike) -> array: ...
def _flat_nonzero(a: _ArrayLike, size: int) -> array: ...
def _bincount(a: _ArrayLike, weights: _ArrayLike | None, size: int) -> array: ...
def _export(fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
def _written(metadata: str, entries: list[tuple[int, list[str], Any]]) -> bytes: ...
def _imported(content: bytes) -> tuple[str, list[tuple[int, list[str], Any]]]: ...
def _pending(outs: list[array], given: list[array]) -> tuple[list[Any], list[Any], list[Any]]: ...
def _branch(fun: Callable[..., Any], taken: array, *operands: Any) -> Any: ...

def abs(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `|x|`; of complex numbers in `float32`. Its derivative at 0 is 0."""
def add(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise sum, with broadcasting."""
def addmm(c: _ArrayLike, a: _ArrayLike, b: _ArrayLike, /, alpha: float = 1.0, beta: float = 1.0, *, stream: _StreamOrDevice = None) -> array:
    """`alpha * (a @ b) + beta * c`."""
def all(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Whether no element along axes is zero.

    >>> pb.all(pb.array([0, 1])).item()
    False
    """
def allclose(a: _ArrayLike, b: _ArrayLike, /, rtol: float = 1e-05, atol: float = 1e-08, *, equal_nan: bool = False, stream: _StreamOrDevice = None) -> array:
    """
    Whether all elements of two arrays are nearly equal.

    >>> pb.allclose(pb.array(1.0), pb.array(1.0 + 1e-7)).item()
    True
    """
def any(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Whether any element along axes is not zero.

    >>> pb.any(pb.array([0, 1])).item()
    True
    """
def arange(start: _Scalar | None = None, stop: _Scalar | None = None, step: _Scalar | None = None, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    `arange(stop)` or `arange(start, stop, step)`: numbers at equal distances, without `stop`.

    >>> pb.arange(3)
    array([0, 1, 2], dtype=int32)
    >>> pb.arange(1.0, 2.0, 0.5)
    array([1. , 1.5], dtype=float32)
    """
def arccos(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise inverse cosine."""
def arccosh(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise inverse hyperbolic cosine."""
def arcsin(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise inverse sine."""
def arcsinh(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise inverse hyperbolic sine."""
def arctan(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise inverse tangent."""
def arctan2(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise angle of the point with height `a` and width `b`, with broadcasting."""
def arctanh(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise inverse hyperbolic tangent."""
def argmax(a: _ArrayLike, /, axis: None | int = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Position of the largest element along an axis (of all elements, if none is named), as `uint32`.

    >>> pb.argmax(pb.array([2, 5, 3])).item()
    1
    """
def argmin(a: _ArrayLike, /, axis: None | int = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Position of the smallest element along an axis, as `uint32`.

    >>> pb.argmin(pb.array([2, 5, 3])).item()
    0
    """
def argpartition(a: _ArrayLike, /, kth: int, axis: None | int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    The positions that order elements as `partition` does, as `uint32`.

    >>> pb.argpartition(pb.array([3, 1, 2]), 0)[0].item()
    1
    """
def argsort(a: _ArrayLike, /, axis: None | int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    The positions that sort the elements along an axis, as `uint32`.

    >>> pb.argsort(pb.array([3, 1, 2]))
    array([1, 2, 0], dtype=uint32)
    """
def array_equal(a: _ArrayLike, b: _ArrayLike, equal_nan: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Whether two arrays have one shape and equal elements.

    >>> pb.array_equal(pb.array([1, 2]), pb.array([1, 2])).item()
    True
    """
def as_strided(a: _ArrayLike, /, shape: int | Sequence[int] | None = None, strides: int | Sequence[int] | None = None, offset: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    Elements of the flattened array from `offset` on, in another shape and with any strides, in elements. Without a shape
    it has that of the array, and without strides elements follow each other. An element may be seen more than once:
    derivatives add up. What would lie outside of the array is refused.

    >>> pb.as_strided(pb.arange(5), (3, 3), (1, 1))
    array([[0, 1, 2],
           [1, 2, 3],
           [2, 3, 4]], dtype=int32)
    """
def astype(a: _ArrayLike, dtype: _DtypeLike, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements as another type.

    >>> pb.astype(pb.array([1.7, -1.7]), pb.int32)
    array([ 1, -1], dtype=int32)
    """
def async_eval(*args: Any) -> None:
    """As `eval`. The CPU has computed when it returns; what runs on the GPU may still be on its way."""
def atleast_1d(*arys: _ArrayLike, stream: _StreamOrDevice = None) -> Any:
    """
    Arrays with one axis or more; of several arrays, a list.

    >>> pb.atleast_1d(pb.array(1)).shape
    (1,)
    """
def atleast_2d(*arys: _ArrayLike, stream: _StreamOrDevice = None) -> Any:
    """
    Arrays with two axes or more, new ones in front; of several arrays, a list.

    >>> pb.atleast_2d(pb.array([1, 2])).shape
    (1, 2)
    """
def atleast_3d(*arys: _ArrayLike, stream: _StreamOrDevice = None) -> Any:
    """
    Arrays with three axes or more, the third one last; of several arrays, a list.

    >>> pb.atleast_3d(pb.array([1, 2])).shape
    (1, 2, 1)
    """
def bartlett(M: int, *, stream: _StreamOrDevice = None) -> array:
    """
    Bartlett's window of `M` samples: a triangle from 0 to 1 and back.

    >>> pb.bartlett(5)
    array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
def bitwise_and(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise and of bits, with broadcasting."""
def bitwise_invert(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise exchange of zeros and ones; of booleans, `not`."""
def bitwise_or(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise or of bits, with broadcasting."""
def bitwise_xor(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise exclusive or of bits, with broadcasting."""
def blackman(M: int, *, stream: _StreamOrDevice = None) -> array:
    """Blackman's window of `M` samples: `0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))`."""
def block_masked_mm(a: _ArrayLike, b: _ArrayLike, /, block_size: int = 64, mask_out: _ArrayLike | None = None, mask_lhs: _ArrayLike | None = None, mask_rhs: _ArrayLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Products of matrices whose blocks of `block_size` rows and columns are masked: those of the product, of `a` and of `b`.
    A mask has a number for each block. Where a mask of booleans is false there are zeros; other masks are multiplied with.

    >>> mask = pb.array([[True, False]])
    >>> pb.block_masked_mm(pb.ones((32, 64)), pb.ones((64, 1)), 32, mask_lhs=mask)[0].item()
    32.0
    """
def broadcast_arrays(*arrays: _ArrayLike, stream: _StreamOrDevice = None) -> list[array]:
    """
    Arrays broadcast to one shape.

    >>> [x.shape for x in pb.broadcast_arrays(pb.zeros((2, 1)), pb.zeros((3,)))]
    [(2, 3), (2, 3)]
    """
def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """
    The shape that shapes broadcast to.

    >>> pb.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
def broadcast_to(a: _ArrayLike, /, shape: int | Sequence[int], *, stream: _StreamOrDevice = None) -> array:
    """
    The array repeated along axes of size 1 and new leading axes.

    >>> pb.broadcast_to(pb.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
def can_cast(from_: array | _DtypeLike, to: _DtypeLike) -> bool:
    """
    Whether promotion takes `from_`, an array or a dtype, to the type `to`: the two then meet in `to`.

    >>> pb.can_cast(pb.int64, pb.float16), pb.can_cast(pb.float32, pb.float16)
    (True, False)
    """
def ceil(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise smallest integer that is not below."""
def checkpoint_name(x: Any, name: str) -> Any:
    """
    `x` itself, an array or a tree of arrays, by a name that policies of `checkpoint` know it by.

    >>> keep = pb.checkpoint_policies.save_only_these_names("sine")
    >>> f = pb.checkpoint(lambda x: pb.checkpoint_name(pb.sin(x), "sine") ** 2, policy=keep)
    >>> pb.grad(f)(pb.array(0.0)).item()
    0.0
    """
def clear_cache() -> None:
    """
    Gives what is kept for reuse back to the system. Small blocks of the GPU, which share pages, stay.

    >>> pb.clear_cache()
    """
def clear_streams() -> None:
    """
    Destroys the streams that this thread made with `new_stream`: using one is an error from then on. Those that devices
    have from the start are the default ones again.

    >>> pb.clear_streams()
    """
def clip(a: _ArrayLike, /, a_min: _ArrayLike | None, a_max: _ArrayLike | None, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements, those below one bound or above the other replaced by it.

    >>> pb.clip(pb.array([1, 5, 9]), 2, 8)
    array([2, 5, 8], dtype=int32)
    """
def closure_convert(fun: Callable[..., Any], *example_args: Any) -> tuple[Callable[..., Any], list[array]]:
    """
    `fun` as a function of what it captured: `(converted, consts)`, where `converted(*args, *consts)` is `fun(*args)`.

    `consts` are the captured arrays that depend on a transform that is open: whoever calls `converted` can
    differentiate by them, and map over them. `fun` is called once, on arguments like the examples: arrays, or whatever
    has a shape and a dtype.

    >>> def f(a):
    ...     converted, consts = pb.closure_convert(lambda x: a * x, pb.array(1.0))
    ...     return len(consts) * converted(pb.array(3.0), *consts)
    >>> pb.grad(f)(pb.array(2.0)).item()
    3.0
    >>> pb.closure_convert(lambda x: 2 * x, pb.array(1.0))[1]
    []
    """
def concatenate(arrays: Sequence[_ArrayLike] | array, axis: None | int = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    Arrays one after the other along an axis.

    >>> pb.concatenate([pb.array([1]), pb.array([2, 3])])
    array([1, 2, 3], dtype=int32)
    """
def conjugate(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """
    The complex conjugate; of real numbers, these.

    >>> pb.conjugate(pb.array([1 + 2j]))
    array([1.-2.j], dtype=complex64)
    """
def contiguous(a: _ArrayLike, /, allow_col_major: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """The array itself: elements always lie in the order of the axes, last axis first, once they are computed."""
def conv1d(input: _ArrayLike, weight: _ArrayLike | None, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, groups: int = 1, *, stream: _StreamOrDevice = None) -> array:
    """
    Kernels `weight (C_out, K, C_in / groups)` over an input `(N, L, C_in)`: sums of products at every place where a
    kernel lies within the input, `stride` apart, with `padding` zeros at both ends. Elements of a kernel are
    `dilation` apart, and kernels of each of `groups` see channels of that group.

    >>> x = pb.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
    >>> pb.conv1d(x, pb.array([1.0, 10.0]).reshape(1, 2, 1)).reshape(-1)
    array([21., 32., 43.], dtype=float32)
    """
def conv2d(input: _ArrayLike, weight: _ArrayLike | None, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, groups: int = 1, *, stream: _StreamOrDevice = None) -> array:
    """
    Kernels `weight (C_out, KH, KW, C_in / groups)` over an input `(N, H, W, C_in)`, as `conv1d` has them; numbers are
    for both axes, or a pair of them.

    >>> pb.conv2d(pb.ones((1, 4, 4, 3)), pb.ones((5, 3, 3, 3)), padding=1).shape
    (1, 4, 4, 5)
    """
def conv3d(input: _ArrayLike, weight: _ArrayLike | None, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, groups: int = 1, *, stream: _StreamOrDevice = None) -> array:
    """
    Kernels `weight (C_out, KD, KH, KW, C_in / groups)` over an input `(N, D, H, W, C_in)`, as `conv1d` has them;
    numbers are for all three axes, or three of them.

    >>> pb.conv3d(pb.ones((1, 4, 4, 4, 2)), pb.ones((5, 3, 3, 3, 2)), stride=(1, 1, 2)).shape
    (1, 2, 2, 1, 5)
    """
def conv_general(input: _ArrayLike, weight: _ArrayLike | None, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] | tuple[int | Sequence[int], int | Sequence[int]] = 0, kernel_dilation: int | Sequence[int] = 1, input_dilation: int | Sequence[int] = 1, groups: int = 1, flip: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Kernels `weight (C_out, .., C_in / groups)` over an input `(N, .., C_in)`, with any number of axes between. Numbers are
    for all of these, or a list with one for each; padding may be a pair, of what is before and what is behind. Elements of
    the input are `input_dilation` apart, with zeros between them. With `flip`, kernels are read backwards.

    >>> x = pb.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    >>> w = pb.array([1.0, 10.0]).reshape(1, 2, 1)
    >>> pb.conv_general(x, w, padding=([1], [0]), flip=True).reshape(-1)
    array([ 1., 12., 23.], dtype=float32)
    """
def conv_transpose1d(input: _ArrayLike, weight: _ArrayLike | None, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, output_padding: int | Sequence[int] = 0, groups: int = 1, *, stream: _StreamOrDevice = None) -> array:
    """
    Kernels `weight (C_out, K, C_in / groups)` spread over an input `(N, L, C_in)`: each element of the input adds a
    kernel times itself to the result, `stride` apart. `padding` elements of the result are cut off at both ends, and
    `output_padding` of them put behind. It is what `conv1d` needs for its derivative, up to which channels are called
    those of the input.

    >>> x = pb.array([1.0, 2.0]).reshape(1, 2, 1)
    >>> pb.conv_transpose1d(x, pb.array([1.0, 10.0]).reshape(1, 2, 1), stride=2).reshape(-1)
    array([ 1., 10.,  2., 20.], dtype=float32)
    """
def conv_transpose2d(input: _ArrayLike, weight: _ArrayLike | None, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, output_padding: int | Sequence[int] = 0, groups: int = 1, *, stream: _StreamOrDevice = None) -> array:
    """
    Kernels `weight (C_out, KH, KW, C_in / groups)` spread over an input `(N, H, W, C_in)`, as `conv_transpose1d` has
    them; numbers are for both axes, or a pair of them.

    >>> pb.conv_transpose2d(pb.ones((1, 4, 4, 3)), pb.ones((5, 2, 2, 3)), stride=2).shape
    (1, 8, 8, 5)
    """
def conv_transpose3d(input: _ArrayLike, weight: _ArrayLike | None, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, output_padding: int | Sequence[int] = 0, groups: int = 1, *, stream: _StreamOrDevice = None) -> array:
    """
    Kernels `weight (C_out, KD, KH, KW, C_in / groups)` spread over an input `(N, D, H, W, C_in)`, as
    `conv_transpose1d` has them; numbers are for all three axes, or three of them.

    >>> pb.conv_transpose3d(pb.ones((1, 2, 2, 2, 2)), pb.ones((5, 2, 2, 2, 2)), stride=2).shape
    (1, 4, 4, 4, 5)
    """
def convolve(a: _ArrayLike, v: _ArrayLike, /, mode: str = 'full', *, stream: _StreamOrDevice = None) -> array:
    """
    The convolution of two sequences: all of it (`"full"`), as much of its middle as the longer sequence has
    (`"same"`), or where the shorter one lies within the longer (`"valid"`).

    >>> pb.convolve(pb.array([1.0, 2.0, 3.0]), pb.array([1.0, 1.0]))
    array([1., 3., 5., 3.], dtype=float32)
    """
def cos(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise cosine."""
def cosh(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise hyperbolic cosine."""
def count_nonzero(a: _ArrayLike, /, *, axis: None | int | Sequence[int] = None, keepdims: bool = False, stream: _StreamOrDevice = None) -> array:
    """
    How many elements along axes are not zero, as `int32`.

    >>> pb.count_nonzero(pb.array([0, 3, 5])).item()
    2
    """
def cummax(a: _ArrayLike, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
    """
    Running maximum along an axis.

    >>> pb.cummax(pb.array([1, 3, 2]))
    array([1, 3, 3], dtype=int32)
    """
def cummin(a: _ArrayLike, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
    """
    Running minimum along an axis.

    >>> pb.cummin(pb.array([3, 1, 2]))
    array([3, 1, 1], dtype=int32)
    """
def cumprod(a: _ArrayLike, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, dtype: _DtypeLike | None = None, stream: _StreamOrDevice = None) -> array:
    """
    Running product along an axis, as `cumsum`.

    >>> pb.cumprod(pb.array([1, 2, 3]))
    array([1, 2, 6], dtype=int32)
    """
def cumsum(a: _ArrayLike, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, dtype: _DtypeLike | None = None, stream: _StreamOrDevice = None) -> array:
    """
    Running sum along an axis (over all elements, if none is named), of the elements as `dtype`, if one is given.

    >>> pb.cumsum(pb.array([1, 2, 3]))
    array([1, 3, 6], dtype=int32)
    """
def default_device() -> Device:
    """The device for which operations are built where nothing else is said."""
def default_stream(device: _StreamOrDevice) -> Stream:
    """The stream of a device that is its default on this thread."""
def degrees(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """Radians as degrees."""
def depends(inputs: array | Sequence[array], dependencies: array | Sequence[array]) -> Any:
    """
    `inputs` as they are, but computed only when `dependencies` have been: an array for an array, a list for a sequence.

    >>> x, y = pb.array(1.0), pb.exp(pb.array(2.0))
    >>> pb.depends(x, y)
    array(1., dtype=float32)
    """
def dequantize(w: _ArrayLike, /, scales: _ArrayLike, biases: _ArrayLike | None = None, group_size: int | None = None, bits: int | None = None, mode: str = 'affine', global_scale: _ArrayLike | None = None, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The numbers that the codes, scales and biases of `quantize` stand for, with the same `group_size`, `bits`, `mode` and
    `global_scale`. Without `dtype` they have the type of the scales in mode `'affine'`, and `bfloat16` in the others.

    >>> codes, scales = pb.quantize(pb.full((1, 32), 3.0), mode="mxfp4")
    >>> pb.dequantize(codes, scales, mode="mxfp4", dtype=pb.float32)[0, 0].item()
    3.0
    """
def device_count(device_type: Device | DeviceType | str) -> int:
    """
    How many devices of a kind there are.

    >>> pb.device_count(pb.DeviceType.cpu)
    1
    """
def device_info(d: _StreamOrDevice = None) -> dict[str, str | int]:
    """
    What is known of a device, the default one if none is named: `device_name`, `architecture`, and what else it says.

    >>> info = pb.device_info(pb.cpu)
    >>> sorted(info)[:3]
    ['architecture', 'device_name', 'instruction_set']
    """
def diag(a: _ArrayLike, /, k: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    A diagonal of a matrix, or a matrix with the diagonal given.

    >>> pb.diag(pb.array([1, 2]))
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
def diagonal(a: _ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements of a diagonal, of the last axis of the result.

    >>> pb.diagonal(pb.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
    """
def diff(a: _ArrayLike, /, n: int = 1, axis: int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    Differences of neighbours along an axis, `n` times over.

    >>> pb.diff(pb.array([1, 4, 9]))
    array([3, 5], dtype=int32)
    """
def digitize(x: _ArrayLike, bins: _ArrayLike, right: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    In which bin each element lies: bin `i` goes from `bins[i - 1]` to `bins[i]`, its lower end included, or its upper one
    with `right`. Bins ascend or descend, which nothing checks.

    >>> pb.digitize(pb.array([0.5, 1.0, 9.0]), pb.array([0.0, 1.0, 2.0]))
    array([1, 2, 3], dtype=uint32)
    """
def disable_compile() -> None:
    """
    From now on calls of compiled functions run their Python code, in all threads. So does the environment variable
    `PULLBACK_DISABLE_COMPILE`, if it is set before the first call.

    >>> f = pb.compile(lambda x: print("called") or x)
    >>> pb.disable_compile()
    >>> y, z = f(pb.array(1.0)), f(pb.array(1.0))
    called
    called
    >>> pb.enable_compile()
    """
def divide(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise quotient, with broadcasting. Integers and booleans are divided as `float32`."""
def divmod(a: _ArrayLike, b: _ArrayLike, stream: _StreamOrDevice = None) -> tuple[array, array]:
    """
    The quotient rounded down and the remainder, `(a // b, a % b)`; they broadcast.

    >>> pb.divmod(pb.array([7, -7]), 2)
    (array([ 3, -4], dtype=int32), array([1, 1], dtype=int32))
    """
def einsum(subscripts: str, *operands: _ArrayLike, stream: _StreamOrDevice = None) -> array:
    """
    Sums of products, by labels of axes: axes of one label are multiplied together, and summed if it does not stand behind
    `->`. Without `->`, the labels that stand once are kept, in order. `...` stands for axes that broadcast.

    >>> pb.einsum("ij,jk->ik", pb.array([[1, 2]]), pb.array([[3], [4]]))
    array([[11]], dtype=int32)
    """
def einsum_path(subscripts: str, *operands: _ArrayLike) -> tuple[list[tuple[int, ...]], str]:
    """
    The order in which `einsum` contracts operands, and what it costs as text. A step names places in the list of operands;
    these leave it, and their product goes to its end.

    >>> pb.einsum_path("ij,jk,k->i", pb.zeros((9, 9)), pb.zeros((9, 9)), pb.zeros(9))[0]
    [(1, 2), (0, 1)]
    """
def enable_compile() -> None:
    """
    Undoes `disable_compile`, and the environment variable.

    >>> pb.enable_compile()
    """
def equal(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a == b`, with broadcasting."""
def erf(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise error function."""
def erfinv(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise inverse of the error function."""
def eval(*args: Any) -> None:
    """
    Computes arrays now: `eval(x, params, ...)` takes arrays and trees of them.

    >>> x = pb.array([1.0, 2.0])
    >>> y = x * 2
    >>> pb.eval(y)
    """
def exp(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `e ** x`."""
def exp2(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `2 ** x`."""
def expand_dims(a: _ArrayLike, /, axis: int | Sequence[int], *, stream: _StreamOrDevice = None) -> array:
    """
    New axes of size 1.

    >>> pb.expand_dims(pb.zeros((3,)), 0).shape
    (1, 3)
    """
def explain(fun: Callable[..., Any], *args: Any) -> str:
    """
    The plan by which the arrays that `fun(*args)` returns would be computed, for a person to read. Instead of a
    function, arrays and trees of them may be given.
    """
def expm1(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `e ** x - 1`, exact near 0."""
def eye(n: int, m: int | None = None, k: int = 0, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    A matrix with ones on a diagonal.

    >>> pb.eye(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
def flatten(a: _ArrayLike, /, start_axis: int = 0, end_axis: int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    Axes from one to another as one.

    >>> pb.flatten(pb.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
def flip(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements in reverse order along axes; along all, if none is named.

    >>> pb.flip(pb.array([1, 2, 3]))
    array([3, 2, 1], dtype=int32)
    """
def floor(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise largest integer that is not above."""
def floor_divide(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise quotient rounded down, with broadcasting."""
def from_dlpack(x: _ArrayLike, /, *, copy: bool | None = None) -> array:
    """An array from another library's tensor, by copy: `copy=False` is refused but for arrays of our own."""
def from_fp8(x: _ArrayLike, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The numbers of E4M3 codes in `uint8`, in `bfloat16` unless `dtype` says otherwise.

    >>> pb.from_fp8(pb.array([56, 254], dtype=pb.uint8), pb.float32)
    array([   1., -448.], dtype=float32)
    """
def full(shape: int | Sequence[int], vals: _ArrayLike, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Every element equal to a number, or to an array that broadcasts.

    >>> pb.full(2, 7)
    array([7, 7], dtype=int32)
    """
def full_like(a: _ArrayLike, vals: _ArrayLike, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """Every element equal to a number, of the shape and type of an array."""
def gather_mm(a: _ArrayLike, b: _ArrayLike, /, lhs_indices: _ArrayLike | None = None, rhs_indices: _ArrayLike | None = None, *, sorted_indices: bool = False, stream: _StreamOrDevice = None) -> array:
    """
    Products of matrices of `a` and `b`, picked by their positions among all matrices that the leading axes hold. Positions
    broadcast with each other, and with the leading axes of an operand without positions. That they are sorted changes
    nothing.

    >>> a = pb.array([[[1.0]], [[2.0]], [[3.0]]])
    >>> pb.gather_mm(a, a, pb.array([0, 2]), pb.array([1, 1])).reshape(-1)
    array([2., 6.], dtype=float32)
    """
def gather_qmm(x: _ArrayLike, w: _ArrayLike, /, scales: _ArrayLike, biases: _ArrayLike | None = None, lhs_indices: _ArrayLike | None = None, rhs_indices: _ArrayLike | None = None, transpose: bool = True, group_size: int | None = None, bits: int | None = None, mode: str = 'affine', global_scale: _ArrayLike | None = None, *, sorted_indices: bool = False, stream: _StreamOrDevice = None) -> array:
    """
    Products of matrices of `x` with matrices that `quantize` made, both picked by position: `lhs_indices` and
    `rhs_indices` count the matrices in all but the last two axes of `x` and of `w`, broadcast, and are the leading axes
    of the result. Where one is not given, it is all matrices in order. Positions as in `take`.

    `sorted_indices` is a hint for devices that have a use for it.

    >>> w = pb.stack([15 * pb.eye(32), 30 * pb.eye(32)])
    >>> codes, scales, biases = pb.quantize(w, group_size=32)
    >>> x, at = pb.ones((1, 1, 32)), pb.array([1])
    >>> pb.gather_qmm(x, codes, scales, biases, rhs_indices=at, group_size=32)[0, 0, :3]
    array([30., 30., 30.], dtype=float32)
    """
def gather_qqmm(x: _ArrayLike, w: _ArrayLike, /, scales: _ArrayLike | None = None, lhs_indices: _ArrayLike | None = None, rhs_indices: _ArrayLike | None = None, group_size: int | None = None, bits: int | None = None, mode: str = 'nvfp4', global_scale_x: _ArrayLike | None = None, global_scale_w: _ArrayLike | None = None, *, sorted_indices: bool = False, stream: _StreamOrDevice = None) -> array:
    """
    As `qqmm`, of matrices picked by position, as in `gather_qmm`.

    >>> x, w = pb.ones((1, 1, 32)), pb.stack([pb.eye(32), 2 * pb.eye(32)])
    >>> pb.gather_qqmm(x, w, rhs_indices=pb.array([1]), mode="mxfp8")[0, 0, :3]
    array([2., 2., 2.], dtype=float32)
    """
def gelu(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """`a` times the normal distribution function of `a`."""
def gelu_approx(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """`gelu` by way of `tanh`."""
def get_active_memory() -> int:
    """
    Bytes of arrays and scratch in use, on all devices. What is kept for reuse is not counted.

    >>> x = pb.ones(1000)
    >>> pb.eval(x)
    >>> pb.get_active_memory() >= 4000
    True
    """
def get_array_buffer_size(*args: Any) -> int:
    """
    Bytes of the blocks in which the elements of arrays lie; a block that several share counts once. Arguments are arrays
    and trees of arrays, which must have been computed; what else is in a tree is left out.

    >>> x = pb.ones(1000)
    >>> pb.eval(x)
    >>> pb.get_array_buffer_size(x, {"again": x})
    4000
    """
def get_cache_memory() -> int:
    """
    Bytes in free blocks that are kept for reuse, on all devices.

    >>> pb.get_cache_memory() >= 0
    True
    """
def get_memory_limit() -> int:
    """
    Above how many bytes, in use or kept, the CPU gives back what it keeps before it asks for more; see
    `set_memory_limit`.

    >>> pb.get_memory_limit() > 0
    True
    """
def get_peak_memory() -> int:
    """
    The most bytes that have been in use at once, since the start or since `reset_peak_memory`.

    >>> pb.get_peak_memory() >= pb.get_active_memory()
    True
    """
def greater(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a > b`, with broadcasting."""
def greater_equal(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a >= b`, with broadcasting."""
def hadamard_transform(a: _ArrayLike, scale: float | None = None, stream: _StreamOrDevice = None) -> array:
    """
    The Walsh-Hadamard transform along the last axis: the product with a matrix of 1 and -1 whose rows are orthogonal, times
    `scale`. Without a scale, lengths stay. The axis has `m 2 ** k` elements, where `m` is 1, 12, 20 or 28.

    >>> pb.hadamard_transform(pb.array([1.0, 2.0, 3.0, 4.0]), scale=1)
    array([10., -2., -4.,  0.], dtype=float32)
    """
def hamming(M: int, *, stream: _StreamOrDevice = None) -> array:
    """Hamming's window of `M` samples: `0.54 - 0.46 cos(2 pi n / (M - 1))`."""
def hanning(M: int, *, stream: _StreamOrDevice = None) -> array:
    """Von Hann's window of `M` samples: `0.5 - 0.5 cos(2 pi n / (M - 1))`."""
def identity(n: int, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The identity matrix.

    >>> pb.identity(1)
    array([[1.]], dtype=float32)
    """
def imag(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    The imaginary part of complex numbers, in `float32`; of real numbers, zeros of their type.

    >>> pb.imag(pb.array([1 + 2j]))
    array([2.], dtype=float32)
    """
def info() -> str:
    """
    What one pastes into a bug report: version, devices with their limits, instruction set, threads, caches.

    >>> pb.info().startswith("pullback")
    True
    """
def inner(a: _ArrayLike, b: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    Sums of products over the last axes.

    >>> pb.inner(pb.array([1, 2]), pb.array([3, 4])).item()
    11
    """
def interp(x: _ArrayLike, xp: _ArrayLike, fp: _ArrayLike, left: _ArrayLike | None = None, right: _ArrayLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The function through the points `xp`, `fp`, straight in between, at `x`. Before the first point it is `left`, or the first
    value; behind the last one `right`, or the last value. `xp` ascends, which nothing checks.

    >>> pb.interp(pb.array([0.5, 1.5, 9.0]), pb.array([0.0, 1.0, 2.0]), pb.array([0.0, 10.0, 30.0]))
    array([ 5., 20., 30.], dtype=float32)
    """
def is_available(device: _StreamOrDevice) -> bool:
    """
    Whether a device can be used.

    >>> pb.is_available(pb.cpu)
    True
    """
def isclose(a: _ArrayLike, b: _ArrayLike, /, rtol: float = 1e-05, atol: float = 1e-08, *, equal_nan: bool = False, stream: _StreamOrDevice = None) -> array:
    """Whether elements of two arrays are nearly equal, each by each."""
def isfinite(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Whether elements are neither infinite nor not a number."""
def isinf(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Whether elements are infinite."""
def isnan(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Whether elements are not a number."""
def isneginf(a: _ArrayLike, stream: _StreamOrDevice = None) -> array:
    """
    Whether elements are infinite and negative; those of integers never are.

    >>> pb.isneginf(pb.array([1.0, pb.inf, -pb.inf]))
    array([False, False,  True], dtype=bool)
    """
def isposinf(a: _ArrayLike, stream: _StreamOrDevice = None) -> array:
    """
    Whether elements are infinite and positive; those of integers never are.

    >>> pb.isposinf(pb.array([1.0, pb.inf, -pb.inf]))
    array([False,  True, False], dtype=bool)
    """
def jvp(fun: Callable[..., Any], primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
    """
    The outputs of `fun` at `primals`, and the products of its Jacobian with `tangents` (one for each primal), as two
    lists.

    >>> outs, jvps = pb.jvp(pb.sin, [pb.array(0.0)], [pb.array(2.0)])
    >>> jvps[0].item()
    2.0
    """
def kron(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """
    The Kronecker product: every element of `a` replaced by the product of it with `b`.

    >>> pb.kron(pb.array([1, 2]), pb.array([1, 10]))
    array([ 1, 10,  2, 20], dtype=int32)
    """
def left_shift(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise bits moved to the left, with broadcasting; what leaves the word is lost."""
def less(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a < b`, with broadcasting."""
def less_equal(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a <= b`, with broadcasting."""
def linear_transpose(fun: Callable[..., Any], *primals: Any) -> Callable[[Any], tuple[Any, ...]]:
    """
    The transpose of `fun`, which is linear in its arguments: a function of a cotangent, shaped as the result of `fun`,
    that returns a tuple shaped as the arguments.

    `primals` are arrays, or whatever has a shape and a dtype, such as `pb.ShapeDtypeStruct`; their elements do not
    matter. A function that is not linear is a `RuleError` that names the operation.

    >>> x = pb.ShapeDtypeStruct((3,), pb.float32)
    >>> back = pb.linear_transpose(lambda x: 2 * x.sum(), x)
    >>> back(pb.array(1.0))
    (array([2., 2., 2.], dtype=float32),)
    """
def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """
    What `fun` returns at `primals`, and its derivative there, a function of tangents.

    `fun` is called once: `f_jvp(*tangents)` pushes tangents, shaped as the primals, through what it recorded, by the
    rules of the custom functions in it, as often as it is called and under any transform. With `has_aux`, `fun`
    returns `(result, aux)`, and `aux` is returned as a third.

    >>> y, f_jvp = pb.linearize(lambda x: x**3, pb.array(2.0))
    >>> y.item(), f_jvp(pb.array(1.0)).item(), f_jvp(pb.array(0.5)).item()
    (8.0, 12.0, 6.0)
    """
def linspace(start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Numbers at equal distances from `start` to `stop`, both included; without `endpoint`, the last is left out of `num + 1`.

    >>> pb.linspace(0, 1, 3)
    array([0. , 0.5, 1. ], dtype=float32)
    """
def log(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise natural logarithm."""
def log10(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise logarithm to base 10."""
def log1p(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `log(1 + x)`, exact near 0."""
def log2(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise logarithm to base 2."""
def logaddexp(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `log(e ** a + e ** b)`, with broadcasting, without overflow."""
def logcumsumexp(a: _ArrayLike, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: _StreamOrDevice = None) -> array:
    """
    Running `log(sum(exp(a)))` along an axis, without overflow.

    >>> pb.logcumsumexp(pb.array([1000.0, 1000.0]))[0].item()
    1000.0
    """
def logical_and(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a and b`, with broadcasting. Numbers are compared with 0."""
def logical_not(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `not a`. Numbers are compared with 0."""
def logical_or(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a or b`, with broadcasting. Numbers are compared with 0."""
def logical_xor(a: _ArrayLike, b: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    Whether one of two is true and the other is not; they broadcast.

    >>> pb.logical_xor(pb.array([True, True]), pb.array([True, False]))
    array([False,  True], dtype=bool)
    """
def logsumexp(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Logarithm of the sum of exponentials over axes, without overflow.

    >>> pb.logsumexp(pb.array([1000.0, 1000.0])).item() > 1000
    True
    """
def matmul(a: _ArrayLike, b: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    The product of matrices; leading axes broadcast, vectors are rows on the left and columns on the right.

    >>> pb.matmul(pb.array([[1, 2]]), pb.array([[3], [4]]))
    array([[11]], dtype=int32)
    """
def matrix_transpose(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    Matrices transposed: the last two axes exchanged.

    >>> pb.matrix_transpose(pb.zeros((4, 2, 3))).shape
    (4, 3, 2)
    """
def max(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Largest element along axes.

    >>> pb.max(pb.array([2, 5, 3])).item()
    5
    """
def maximum(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise larger one, with broadcasting; NaN if either is. Equal operands share the derivative."""
def mean(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Mean over axes.

    >>> pb.mean(pb.array([1.0, 2.0, 6.0])).item()
    3.0
    """
def median(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    The middle element along axes, of an even number the mean of the middle two; NaN if there is one.

    >>> pb.median(pb.array([1, 9, 2, 4])).item()
    3.0
    """
def meshgrid(*arrays: _ArrayLike, sparse: bool | None = False, indexing: str | None = 'xy', stream: _StreamOrDevice = None) -> tuple[array, ...]:
    """
    Coordinates of all points of a grid, one array for each of those given; `sparse` ones broadcast to them. With
    `indexing="xy"` the first array runs along rows, with `"ij"` along the first axis.

    >>> x, y = pb.meshgrid(pb.array([1, 2, 3]), pb.array([4, 5]))
    >>> y
    array([[4, 4, 4],
           [5, 5, 5]], dtype=int32)
    """
def min(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Smallest element along axes.

    >>> pb.min(pb.array([2, 5, 3])).item()
    2
    """
def minimum(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise smaller one, with broadcasting; NaN if either is. Equal operands share the derivative."""
def minmax(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> tuple[array, array]:
    """
    The smallest and the largest element along axes.

    >>> pb.minmax(pb.array([2, 5, 3]))
    (array(2, dtype=int32), array(5, dtype=int32))
    """
def moveaxis(a: _ArrayLike, /, source: int, destination: int, *, stream: _StreamOrDevice = None) -> array:
    """
    An axis moved to another place.

    >>> pb.moveaxis(pb.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
def multiply(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise product, with broadcasting."""
def nan_to_num(a: _ArrayLike, nan: float = 0, posinf: float | None = None, neginf: float | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    NaN replaced by `nan`, infinities by `posinf` and `neginf`; where these are not given, by the largest and the
    smallest finite number of the type. Complex numbers part by part.

    >>> pb.nan_to_num(pb.array([1.0, pb.nan, pb.inf]), posinf=9)
    array([1., 0., 9.], dtype=float32)
    """
def negative(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `-x`."""
def new_stream(device: _StreamOrDevice) -> Stream:
    """
    A new stream of a device, which this thread alone may use. Its work is done in one order with that of the device's
    other streams.

    >>> stream = pb.new_stream(pb.cpu)
    >>> stream == pb.default_stream(pb.cpu), stream.device == pb.cpu
    (False, True)
    >>> with pb.stream(stream):
    ...     pb.default_stream(pb.cpu) == stream
    True
    """
def new_thread_local_stream(device: _StreamOrDevice) -> ThreadLocalStream:
    """
    As `new_stream`, one for each thread that uses it.

    >>> pb.new_thread_local_stream(pb.cpu).device
    Device(cpu, 0)
    """
def new_thread_unsafe_stream(device: _StreamOrDevice) -> Stream:
    """
    As `new_stream`, for all threads.

    >>> pb.sum(pb.ones(3), stream=pb.new_thread_unsafe_stream(pb.cpu)).item()
    3.0
    """
def not_equal(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a != b`, with broadcasting."""
def ones(shape: int | Sequence[int], dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Ones.

    >>> pb.ones(3, pb.int32)
    array([1, 1, 1], dtype=int32)
    """
def ones_like(a: _ArrayLike, /, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """Ones of the shape and type of an array."""
def outer(a: _ArrayLike, b: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    Products of all pairs of elements of two vectors.

    >>> pb.outer(pb.array([1, 2]), pb.array([3, 4]))
    array([[3, 4],
           [6, 8]], dtype=int32)
    """
def pad(a: _ArrayLike, pad_width: int | Sequence[int] | Sequence[tuple[int, int]], mode: str = 'constant', constant_values: _ArrayLike = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    More elements around those of the array: `pad_width` is a number, a pair, or a pair for each axis; `mode` is
    `"constant"`, `"edge"`, or that of a mirror, which repeats the ends (`"symmetric"`) or not (`"reflect"`).

    >>> pb.pad(pb.array([1, 2]), (1, 2))
    array([0, 1, 2, 0, 0], dtype=int32)
    """
def partition(a: _ArrayLike, /, kth: int, axis: None | int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements along an axis with that of place `kth` in ascending order at its place, none larger before it and none
    smaller behind it; `None` takes all elements.

    >>> pb.partition(pb.array([3, 1, 2]), 1)[1].item()
    2
    """
def positive(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """The elements as they are."""
def power(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `a ** b`, with broadcasting. Integers wrap."""
def prod(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Product over axes.

    >>> pb.prod(pb.array([2, 3, 4])).item()
    24
    """
def pure_callback(fn: Callable[..., Any], result_shape: Any, *args: Any, vmap_method: str | None = None, **kwargs: Any) -> Any:
    """
    What `fn(*args, **kwargs)` returns, a function of NumPy arrays that is called when the result is computed.

    `result_shape` says what it returns: a tree of things with a shape and a dtype, such as
    `pb.ShapeDtypeStruct(shape, dtype)` or an array. `fn` must return the same for the same arguments: it may be
    called once, several times, or not at all. It gets arrays that cannot be written to, in the trees that were
    passed, and may itself use pullback.

    `vmap_method` says what happens under `vmap`: with `"sequential"` it is called for each example; with
    `"expand_dims"` and `"broadcast_all"` once, with the batch axis in front, which arguments that are not mapped have
    as an axis of length 1, or repeated. It has no derivative: wrap it in a custom function with a rule.

    >>> import numpy as np
    >>> x = pb.array([1.0, 4.0, 9.0])
    >>> pb.pure_callback(np.sqrt, x, x)
    array([1., 2., 3.], dtype=float32)
    >>> total = pb.ShapeDtypeStruct((), pb.float32)
    >>> f = lambda x: pb.pure_callback(lambda x: x.sum(), total, x, vmap_method="sequential")
    >>> pb.vmap(f)(pb.array([[1.0, 2.0], [3.0, 4.0]]))
    array([3., 7.], dtype=float32)
    """
def put_along_axis(a: _ArrayLike, /, indices: _ArrayLike, values: _ArrayLike, axis: None | int = None, *, stream: _StreamOrDevice = None) -> array:
    """`a` with the element at each position along an axis replaced."""
def qqmm(x: _ArrayLike, w: _ArrayLike, scales: _ArrayLike | None = None, group_size: int | None = None, bits: int | None = None, mode: str = 'nvfp4', global_scale_x: _ArrayLike | None = None, global_scale_w: _ArrayLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    `x @ w.T` of numbers of few bits: `x` is quantised, and so is `w`, unless it has been already and its `scales` are
    given. `mode` is `'nvfp4'` or `'mxfp8'`; the scales of all of a matrix are those of `'nvfp4'`.

    The derivative by floats is that of the product of the numbers that the codes stand for, as if rounding were the
    identity. MLX rounds the cotangent as well.

    >>> pb.qqmm(pb.ones((1, 32)), pb.eye(32), mode="mxfp8")[0, :3]
    array([1., 1., 1.], dtype=float32)
    """
def quantize(w: _ArrayLike, /, group_size: int | None = None, bits: int | None = None, mode: str = 'affine', *, global_scale: _ArrayLike | None = None, stream: _StreamOrDevice = None) -> tuple[array, ...]:
    """
    A matrix as codes of a few bits, packed into `uint32`, with a scale for each `group_size` neighbours in a row:
    `(codes, scales, biases)` in mode `'affine'`, `(codes, scales)` in the others.

    ========  ===========  =======================  ==========================  ======
    mode      group_size   bits                     scales                      biases
    ========  ===========  =======================  ==========================  ======
    affine    32, 64, 128  1, 2, 3, 4, 5, 6, 8      of the type of `w`          yes
    mxfp4     32           4 (E2M1)                 `uint8` codes of E8M0       no
    mxfp8     32           8 (E4M3)                 `uint8` codes of E8M0       no
    nvfp4     16           4 (E2M1)                 `uint8` codes of E4M3       no
    ========  ===========  =======================  ==========================  ======

    Without `group_size` and `bits`, `'affine'` has 64 and 4. A code is the one whose number is nearest, `scale * code +
    bias` in `'affine'`; there, the end of a group's interval that is farther from 0 is met exactly, and so is 0, if it
    lies in the interval. Scales of E8M0 are powers of two, so large that no element of the group is out of range. With
    `global_scale`, the largest number of all of `w` in `'nvfp4'`, the scales of the groups fill the range of E4M3.

    Codes have no derivative, and neither have scales that are codes.

    >>> w = pb.array([[0.0, 1.0, 2.0, 15.0] * 8])
    >>> codes, scales, biases = pb.quantize(w, group_size=32)
    >>> codes.shape, scales.shape
    ((1, 4), (1, 1))
    >>> pb.dequantize(codes, scales, biases, group_size=32)[0, :4]
    array([ 0.,  1.,  2., 15.], dtype=float32)
    """
def quantized_matmul(x: _ArrayLike, w: _ArrayLike, /, scales: _ArrayLike, biases: _ArrayLike | None = None, transpose: bool = True, group_size: int | None = None, bits: int | None = None, mode: str = 'affine', *, stream: _StreamOrDevice = None) -> array:
    """
    The product of `x` with a matrix that `quantize` made: `x @ w.T`, or `x @ w` if not `transpose`.

    Codes are unpacked where they are multiplied; only a GPU unpacks the whole matrix first, for many rows of `x`. The
    numbers are not rounded to half floats, and sums are in `float32`, unless all are `float64`: a result is within
    `(k + 3) * 2**-24` of the sum of `abs(x) * (abs(scale * code) + abs(bias))` over its `k` terms, before it is rounded
    to its type.

    Its derivative by `x`, and by scales and biases that are floats, is that of the product with the numbers that the
    codes stand for. The codes themselves have none.

    >>> w = 15 * pb.eye(32)
    >>> codes, scales, biases = pb.quantize(w, group_size=32)
    >>> pb.quantized_matmul(pb.ones((1, 32)), codes, scales, biases, group_size=32)[0, :3]
    array([15., 15., 15.], dtype=float32)
    """
def radians(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """Degrees as radians."""
def real(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    The real part of complex numbers, in `float32`; of real numbers, these.

    >>> pb.real(pb.array([1 + 2j]))
    array([1.], dtype=float32)
    """
def reciprocal(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `1 / x`."""
def relu(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    The larger of `a` and 0.

    >>> pb.relu(pb.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """
def remainder(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise remainder of the division rounded down, with broadcasting: it has the sign of the divisor."""
def repeat(array: _ArrayLike, repeats: int, axis: None | int = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Each element several times, along an axis (of all elements, if none is named).

    >>> pb.repeat(pb.array([1, 2]), 2)
    array([1, 1, 2, 2], dtype=int32)
    """
def reset_peak_memory() -> None:
    """
    Counts the peak from what is in use now.

    >>> pb.reset_peak_memory()
    """
def reshape(a: _ArrayLike, /, shape: int | Sequence[int], *, stream: _StreamOrDevice = None) -> array:
    """
    The same elements in another shape; one size may be -1.

    >>> pb.reshape(pb.arange(6), (2, -1)).shape
    (2, 3)
    """
def result_type(*arrays_and_dtypes: array | _DtypeLike) -> Dtype:
    """
    The type in which arrays and dtypes meet: that of the result of an operation on all of them.

    A `ValueError` if there is none, a `TypeError` for bare numbers, whose type depends on what they meet.

    >>> pb.result_type(pb.array([1, 2]), pb.float16)
    pullback.float16
    >>> pb.result_type(pb.float16, pb.bfloat16)
    pullback.float32
    """
def right_shift(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise bits moved to the right, with broadcasting; signed integers keep their sign."""
def roll(a: _ArrayLike, shift: int | Sequence[int], axis: None | int | Sequence[int] = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements moved along axes, what falls out at one end coming in at the other.

    >>> pb.roll(pb.array([1, 2, 3]), 1)
    array([3, 1, 2], dtype=int32)
    """
def round(a: _ArrayLike, /, decimals: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    The nearest number with so many decimals; halves go to the even one.

    >>> pb.round(pb.array([1.25, 2.5]))
    array([1., 2.], dtype=float32)
    """
def rsqrt(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `1 / sqrt(x)`."""
def searchsorted(sorted_sequence: _ArrayLike, values: _ArrayLike, /, side: str = 'left', *, stream: _StreamOrDevice = None) -> array:
    """
    Where values would have to be inserted into an ascending sequence to keep it so, as `uint32`: before elements that are
    equal (`side="left"`) or behind them (`"right"`).

    >>> pb.searchsorted(pb.array([1, 2, 2, 4]), pb.array([0, 2, 5]))
    array([0, 1, 4], dtype=uint32)
    """
def segmented_mm(a: _ArrayLike, b: _ArrayLike, /, segments: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """
    Products of matrices `(M, K)` and `(K, N)` over segments of `K` alone: `segments (.., 2)` holds where each begins and
    ends, and the result is `(.., M, N)`.

    >>> a = pb.array([[1.0, 2.0, 3.0]])
    >>> pb.segmented_mm(a, a.T, pb.array([[0, 1], [1, 3]])).reshape(-1)
    array([ 1., 13.], dtype=float32)
    """
def set_cache_limit(limit: int) -> int:
    """
    Keeps at most `limit` bytes of free blocks of the CPU for reuse, 1 GiB unless said otherwise; returns what the limit
    was. With 0 nothing is kept.

    >>> before = pb.set_cache_limit(0)
    >>> pb.set_cache_limit(before)
    0
    """
def set_default_device(device: Device | DeviceType | str) -> None:
    """Changes the default device. A GPU must be there."""
def set_default_stream(stream: Stream) -> None:
    """
    Makes a stream the default of its device on this thread. The default device stays what it is.

    >>> before = pb.default_stream(pb.cpu)
    >>> pb.set_default_stream(pb.new_stream(pb.cpu))
    >>> pb.default_stream(pb.cpu) == before
    False
    >>> pb.set_default_stream(before)
    """
def set_memory_limit(limit: int) -> int:
    """
    A guideline for the memory of the CPU: above `limit` bytes, in use or kept, what is kept for reuse goes back to the
    system before more is asked for. Arrays are not refused. Returns what the limit was; at first there is none, which is
    a very large number.

    >>> before = pb.set_memory_limit(2**30)
    >>> pb.set_memory_limit(before)
    1073741824
    """
def sigmoid(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise logistic function `1 / (1 + e ** -x)`."""
def sign(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise sign: -1, 0 or 1."""
def silu(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """`a * sigmoid(a)`."""
def sin(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise sine."""
def sinh(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise hyperbolic sine."""
def slice(a: _ArrayLike, start_indices: _ArrayLike, axes: int | Sequence[int], slice_size: int | Sequence[int], *, stream: _StreamOrDevice = None) -> array:
    """
    A part of an array, which starts at `start_indices` along `axes` and at 0 along the others; `slice_size` has a size
    for every axis. Where it starts is known when it is computed; a part that would not lie within the array is moved.

    >>> pb.slice(pb.array([[1, 2, 3], [4, 5, 6]]), pb.array(1), axes=(0,), slice_size=(1, 2))
    array([[4, 5]], dtype=int32)
    """
def slice_update(a: _ArrayLike, update: _ArrayLike, start_indices: _ArrayLike, axes: int | Sequence[int], *, stream: _StreamOrDevice = None) -> array:
    """
    The array with a part replaced, which starts at `start_indices` along `axes`. A part that would not lie within the
    array is moved.

    >>> pb.slice_update(pb.zeros(4), pb.ones(2), pb.array(1), axes=(0,))
    array([0., 1., 1., 0.], dtype=float32)
    """
def softmax(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, precise: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    `exp(a) / sum(exp(a))` along axes; `precise` computes half floats in `float32`.

    >>> pb.softmax(pb.array([0.0, 0.0]))
    array([0.5, 0.5], dtype=float32)
    """
def sort(a: _ArrayLike, /, axis: None | int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements in ascending order along an axis; `None` sorts all elements.

    >>> pb.sort(pb.array([3, 1, 2]))
    array([1, 2, 3], dtype=int32)
    """
def split(a: _ArrayLike, /, indices_or_sections: int | Sequence[int], axis: int = 0, *, stream: _StreamOrDevice = None) -> list[array]:
    """
    An array cut along an axis, into so many equal parts or before these positions.

    >>> pb.split(pb.arange(4), 2)
    [array([0, 1], dtype=int32), array([2, 3], dtype=int32)]
    """
def sqrt(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise square root."""
def square(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise `x * x`."""
def squeeze(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Axes of size 1 taken out; all of them, if none is named.

    >>> pb.squeeze(pb.zeros((1, 3, 1))).shape
    (3,)
    """
def stack(arrays: Sequence[_ArrayLike] | array, axis: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    Arrays of one shape side by side along a new axis.

    >>> pb.stack([pb.array([1, 2]), pb.array([3, 4])])
    array([[1, 2],
           [3, 4]], dtype=int32)
    """
def std(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None, stream: _StreamOrDevice = None) -> array:
    """
    Standard deviation over axes; `correction` or else `ddof` is taken off the count.

    >>> pb.std(pb.array([1.0, 3.0])).item()
    1.0
    """
def stop_gradient(a: Any, /, *, stream: _StreamOrDevice = None) -> Any:
    """
    The same values, through which no derivative passes: of an array, or of a tree.

    >>> pb.grad(lambda x: x * pb.stop_gradient(x))(pb.array(3.0)).item()
    3.0
    """
def stream(s: _StreamOrDevice) -> StreamContext:
    """
    Within `with pb.stream(s):` operations are built for this device. A stream is the default of its device there.

    >>> with pb.stream(pb.cpu):
    ...     y = pb.exp(pb.array(0.0))
    >>> y.item()
    1.0
    """
def subtract(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise difference, with broadcasting."""
def sum(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
    """
    Sum over axes; over all of them if none is named. Booleans are counted.

    >>> pb.sum(pb.array([[1, 2], [3, 4]]), axis=0)
    array([4, 6], dtype=int32)
    """
def swapaxes(a: _ArrayLike, /, axis1: int, axis2: int, *, stream: _StreamOrDevice = None) -> array:
    """
    Two axes exchanged.

    >>> pb.swapaxes(pb.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
def synchronize(stream: _StreamOrDevice = None) -> None:
    """Waits until the devices have done what they were given."""
def table() -> list[dict[str, Any]]:
    """
    The op table as Python data, for those who write stubs and tests: name, parameters, text, and how the function
    is made.
    """
def take(a: _ArrayLike, /, indices: _ArrayLike, axis: None | int = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Slices of `a` by position along an axis; elements of the flattened array, if none is named.

    >>> pb.take(pb.array([5, 6, 7]), pb.array([2, 0]))
    array([7, 5], dtype=int32)
    """
def take_along_axis(a: _ArrayLike, /, indices: _ArrayLike, axis: None | int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    The element at each position along an axis; of the flattened array, if that is `None`.

    >>> pb.take_along_axis(pb.array([[5, 6, 7]]), pb.array([[2, 0]]))
    array([[7, 5]], dtype=int32)
    """
def tan(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise tangent."""
def tanh(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise hyperbolic tangent."""
def tensordot(a: _ArrayLike, b: _ArrayLike, /, axes: int | Sequence[Sequence[int]] = 2, *, stream: _StreamOrDevice = None) -> array:
    """
    Sums of products over axes: the last so many of `a` with the first of `b`, or a list for each.

    >>> pb.tensordot(pb.ones((2, 3)), pb.ones((3, 4)), 1).shape
    (2, 4)
    """
def tile(a: _ArrayLike, reps: int | Sequence[int], /, *, stream: _StreamOrDevice = None) -> array:
    """
    The array side by side with itself, so many times along each axis.

    >>> pb.tile(pb.array([1, 2]), 2)
    array([1, 2, 1, 2], dtype=int32)
    """
def to_fp8(x: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """
    Floats as E4M3 codes in `uint8`: the nearest number, of two the even one. What is too large, infinity too, becomes 448
    with its sign; NaN stays NaN.

    >>> pb.to_fp8(pb.array([1.0, -1000.0]))
    array([ 56, 254], dtype=uint8)
    """
def topk(a: _ArrayLike, /, k: int, axis: None | int = -1, *, stream: _StreamOrDevice = None) -> array:
    """
    The `k` largest elements along an axis, in ascending order.

    >>> pb.topk(pb.array([3, 1, 2]), 2)
    array([2, 3], dtype=int32)
    """
def trace(a: _ArrayLike, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The sum of a diagonal, of its elements as `dtype`, if one is given.

    >>> pb.trace(pb.array([[1, 2], [3, 4]])).item()
    5
    """
def transpose(a: _ArrayLike, /, axes: None | int | Sequence[int] = None, *, stream: _StreamOrDevice = None) -> array:
    """
    The axes in another order; in reverse, if none is named.

    >>> pb.transpose(pb.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
def tri(n: int, m: int | None = None, k: int = 0, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Ones at and below a diagonal, zeros above.

    >>> pb.tri(2, dtype=pb.int32)
    array([[1, 0],
           [1, 1]], dtype=int32)
    """
def tril(x: _ArrayLike, k: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements at and below a diagonal, zeros above.

    >>> pb.tril(pb.ones((2, 2), pb.int32))
    array([[1, 0],
           [1, 1]], dtype=int32)
    """
def triu(x: _ArrayLike, k: int = 0, *, stream: _StreamOrDevice = None) -> array:
    """
    The elements at and above a diagonal, zeros below.

    >>> pb.triu(pb.ones((2, 2), pb.int32))
    array([[1, 1],
           [0, 1]], dtype=int32)
    """
def trunc(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
    """Elementwise nearest integer on the way to 0."""
def unflatten(a: _ArrayLike, /, axis: int, shape: int | Sequence[int], *, stream: _StreamOrDevice = None) -> array:
    """
    One axis as several.

    >>> pb.unflatten(pb.zeros((2, 12)), 1, (3, -1)).shape
    (2, 3, 4)
    """
def unstack(x: _ArrayLike, /, *, axis: int = 0, stream: _StreamOrDevice = None) -> tuple[array, ...]:
    """
    The slices along an axis, each without it: what `stack` puts together.

    >>> pb.unstack(pb.array([[1, 2], [3, 4]]))
    (array([1, 2], dtype=int32), array([3, 4], dtype=int32))
    """
def var(a: _ArrayLike, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None, stream: _StreamOrDevice = None) -> array:
    """
    Variance over axes, real of complex numbers; `correction` or else `ddof` is taken off the count.

    >>> pb.var(pb.array([1.0, 3.0])).item()
    1.0
    """
def vecdot(a: _ArrayLike, b: _ArrayLike, /, *, axis: int = -1, stream: _StreamOrDevice = None) -> array:
    """
    Sums of products over one axis of both arrays; the other axes broadcast. Of complex numbers the first is conjugated.

    >>> pb.vecdot(pb.array([[1, 2], [3, 4]]), pb.array([1, 1]))
    array([3, 7], dtype=int32)
    """
def view(a: _ArrayLike, dtype: _DtypeLike, *, stream: _StreamOrDevice = None) -> array:
    """
    The same bytes read as elements of another type, of which a last axis holds more or fewer if they are of another size.

    >>> pb.view(pb.array(1.0), pb.int32).item() == 0x3F800000
    True
    """
def vjp(fun: Callable[..., Any], primals: Any, cotangents: Any) -> tuple[list[Any], list[Any]]:
    """
    The outputs of `fun` at `primals`, and the products of `cotangents` (one for each output) with its Jacobian (one
    for each primal), as two lists.

    >>> outs, vjps = pb.vjp(pb.sin, [pb.array(0.0)], [pb.array(2.0)])
    >>> vjps[0].item()
    2.0
    """
def vjp_fun(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """
    What `fun` returns at `primals`, and the way back, a function of a cotangent: `vjp` as JAX has it.

    The cotangent is shaped as the result of `fun`, which is called once; the gradients come as a tuple, one for each
    primal. With `has_aux`, `fun` returns `(result, aux)`, and `aux` is returned as a third.

    >>> y, pullback = pb.vjp_fun(lambda x, y: {"product": x * y}, pb.array(2.0), pb.array(5.0))
    >>> [g.item() for g in pullback({"product": pb.array(1.0)})]
    [5.0, 2.0]
    """
def where(condition: _ArrayLike, x: _ArrayLike, y: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
    """
    Elements of `x` where the condition holds, of `y` elsewhere; all three broadcast.

    >>> pb.where(pb.array([True, False]), 1, 2)
    array([1, 2], dtype=int32)
    """
def zeros(shape: int | Sequence[int], dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """
    Zeros.

    >>> pb.zeros((2, 2))
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """
def zeros_like(a: _ArrayLike, /, dtype: _DtypeLike | None = None, *, stream: _StreamOrDevice = None) -> array:
    """Zeros of the shape and type of an array."""

class random:
    state: list[array]
    @staticmethod
    def bernoulli(p: _ArrayLike = 0.5, shape: int | Sequence[int] | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        `True` with probability `p`.

        >>> pb.random.bernoulli(1.0).item()
        True
        """
    @staticmethod
    def bits(shape: int | Sequence[int] = (), key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        Random words, as `uint32`.

        >>> pb.random.bits((2,), key=pb.random.key(0)).dtype
        pullback.uint32
        """
    @staticmethod
    def categorical(logits: _ArrayLike, axis: int = -1, shape: int | Sequence[int] | None = None, num_samples: int | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        Positions along an axis, drawn with probabilities that are proportional to `exp(logits)`, as `uint32`.

        >>> pb.random.categorical(pb.array([0.0, 100.0])).item()
        1
        """
    @staticmethod
    def gumbel(shape: int | Sequence[int] = (), dtype: _DtypeLike | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """Numbers of the standard Gumbel distribution."""
    @staticmethod
    def key(seed: int) -> array:
        """
        A key from a seed.

        >>> pb.random.key(3)
        array([0, 3], dtype=uint32)
        """
    @staticmethod
    def laplace(shape: int | Sequence[int] = (), dtype: _DtypeLike | None = None, loc: _ArrayLike | None = None, scale: _ArrayLike | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """Numbers of the Laplace distribution, times `scale`, plus `loc`."""
    @staticmethod
    def multivariate_normal(mean: _ArrayLike, cov: _ArrayLike, shape: int | Sequence[int] = (), dtype: _DtypeLike | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        Jointly normal numbers with means `mean` (`[.., n]`) and covariances `cov` (`[.., n, n]`, of which the lower triangle is
        read), in `float32`: of the shape `(*shape, n)`, or that of the leading axes broadcast. Negative eigenvalues of `cov`
        are taken for zero. There are gradients for both, but none for the `cov` of a distribution that is flat.

        >>> pb.random.multivariate_normal(pb.zeros(2), pb.eye(2), (5,), key=pb.random.key(0)).shape
        (5, 2)
        """
    @staticmethod
    def normal(shape: int | Sequence[int] = (), dtype: _DtypeLike | None = None, loc: _ArrayLike | None = None, scale: _ArrayLike | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        Normally distributed numbers, times `scale`, plus `loc`.

        >>> pb.random.normal((2, 3), key=pb.random.key(0)).shape
        (2, 3)
        """
    @staticmethod
    def permutation(x: int | _ArrayLike, axis: int = 0, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        The numbers below `x` in random order, or the slices of an array along an axis.

        >>> sorted(pb.random.permutation(3).tolist())
        [0, 1, 2]
        """
    @staticmethod
    def randint(low: _ArrayLike, high: _ArrayLike, shape: int | Sequence[int] = (), dtype: _DtypeLike | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        Integers from `low` up to and without `high`.

        >>> 0 <= pb.random.randint(0, 10).item() < 10
        True
        """
    @staticmethod
    def seed(seed: int) -> None:
        """
        Sets the global state.

        >>> pb.random.seed(1)
        """
    @staticmethod
    def split(key: array, num: int = 2, *, stream: _StreamOrDevice = None) -> array:
        """
        Keys from one, each in a row.

        >>> pb.random.split(pb.random.key(0), 3).shape
        (3, 2)
        """
    @staticmethod
    def truncated_normal(lower: _ArrayLike, upper: bool, shape: int | Sequence[int] | None = None, dtype: _DtypeLike | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """Normally distributed numbers between two bounds."""
    @staticmethod
    def uniform(low: _ArrayLike = 0, high: _ArrayLike = 1, shape: int | Sequence[int] = (), dtype: _DtypeLike | None = None, key: array | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        Numbers from `low` up to and without `high`, all equally likely.

        >>> 0 <= pb.random.uniform(key=pb.random.key(0)).item() < 1
        True
        """

class fft:
    @staticmethod
    def fft(a: _ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The discrete Fourier transform along an axis: `sum_j a[j] exp(-2 pi i j k / n)`, as `complex64`.

        Of the axis `n` elements are taken, with zeros behind them if there are fewer; all that there are by default.
        The inverse transform is divided by `n` with the norm `"backward"`, this one with `"forward"`, and both by the
        square root of `n` with `"ortho"`.

        Any length is fast but large primes, and all types are taken; `float64` is rounded to `float32` first, since there
        is no complex type of its precision. The error is within a few `eps log2(n)` of the norm of the result.
        On a GPU, lengths with a prime factor above 5 are computed on the CPU.

        Raises `ValueError` for an axis that does not exist, or `n` below 1.

        >>> pb.fft.fft(pb.array([1.0, 2.0, 3.0, 4.0]))
        array([10.+0.j, -2.+2.j, -2.+0.j, -2.-2.j], dtype=complex64)
        """
    @staticmethod
    def fft2(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = (-2, -1), norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        `fftn` along two axes.

        >>> pb.fft.fft2(pb.ones((3, 2, 2))).shape
        (3, 2, 2)
        """
    @staticmethod
    def fftfreq(n: int, d: float = 1.0, *, stream: _StreamOrDevice = None) -> array:
        """
        The frequencies of the elements of `fft` of `n` samples that are `d` apart, as `float32`: 0 first, those that are
        negative in the second half.

        >>> pb.fft.fftfreq(5, 0.1)
        array([ 0.,  2.,  4., -4., -2.], dtype=float32)
        """
    @staticmethod
    def fftn(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = None, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        `fft` along several axes: all of them, or the last `len(s)`, if none are named. `s` has a length for each.

        Raises `ValueError` for axes that do not exist or are named twice, lengths below 1 or not one per axis, and an
        array without axes.

        >>> pb.fft.fftn(pb.ones((2, 2)))
        array([[4.+0.j, 0.+0.j],
               [0.+0.j, 0.+0.j]], dtype=complex64)
        """
    @staticmethod
    def fftshift(a: _ArrayLike, axes: None | int | Sequence[int] = None, *, stream: _StreamOrDevice = None) -> array:
        """
        What has frequency 0 moved from the start to the middle, along some axes or all.

        >>> pb.fft.fftshift(pb.array([0, 1, 2, -2, -1]))
        array([-2, -1,  0,  1,  2], dtype=int32)
        """
    @staticmethod
    def hfft(a: _ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The transform of `n` numbers whose second half are the conjugates of the first, which is given: it is real. By
        default `n` is `2 * (a.shape[axis] - 1)`.

        >>> pb.fft.hfft(pb.array([1.0, 1j, 2.0]))
        array([ 3.,  1.,  3., -3.], dtype=float32)
        """
    @staticmethod
    def ifft(a: _ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of `fft`: `sum_k a[k] exp(2 pi i j k / n) / n`.

        >>> pb.fft.ifft(pb.array([10.0, -2 + 2j, -2.0, -2 - 2j]))
        array([1.+0.j, 2.+0.j, 3.+0.j, 4.+0.j], dtype=complex64)
        """
    @staticmethod
    def ifft2(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = (-2, -1), norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        `ifftn` along two axes.

        >>> pb.fft.ifft2(pb.ones((3, 2, 2))).shape
        (3, 2, 2)
        """
    @staticmethod
    def ifftn(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = None, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of `fftn`.

        >>> pb.fft.ifftn(pb.fft.fftn(pb.ones((2, 2))))
        array([[1.+0.j, 1.+0.j],
               [1.+0.j, 1.+0.j]], dtype=complex64)
        """
    @staticmethod
    def ifftshift(a: _ArrayLike, axes: None | int | Sequence[int] = None, *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of `fftshift`.

        >>> pb.fft.ifftshift(pb.array([-2, -1, 0, 1, 2]))
        array([ 0,  1,  2, -2, -1], dtype=int32)
        """
    @staticmethod
    def ihfft(a: _ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of `hfft`: the first `n // 2 + 1` numbers, of which the others are conjugates.

        >>> pb.fft.ihfft(pb.array([3.0, 1.0, 3.0, -3.0])).shape
        (3,)
        """
    @staticmethod
    def irfft(a: _ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of `rfft`, as `float32`: `n` elements, by default `2 * (a.shape[axis] - 1)`, from the first
        `n // 2 + 1` of `a`. An odd length cannot be told from those: pass it.

        >>> pb.fft.irfft(pb.array([10.0, -2 + 2j, -2.0]))
        array([1., 2., 3., 4.], dtype=float32)
        """
    @staticmethod
    def irfft2(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = (-2, -1), norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        `irfftn` along two axes.

        >>> pb.fft.irfft2(pb.ones((3, 4, 3))).shape
        (3, 4, 4)
        """
    @staticmethod
    def irfftn(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = None, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of `rfftn`; the last length is that of the real result, as for `irfft`.

        >>> pb.fft.irfftn(pb.fft.rfftn(pb.ones((4, 6)))).shape
        (4, 6)
        """
    @staticmethod
    def istft(stft_matrix: _ArrayLike, n_fft: int | None = None, hop_length: int | None = None, win_length: int | None = None, window: _ArrayLike | None = None, center: bool = True, norm: str | None = 'backward', onesided: bool | None = None, length: int | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        The signal whose frames have these transforms: the inverse of `stft`, `(.., frequencies, frames) -> (.., samples)`.

        Frames are transformed back, multiplied by the window and added where they overlap; the sum is divided by that of the
        squares of the windows, and 0 where no window is. So it is the signal again wherever windows of all frames reach.
        With `center`, `n_fft // 2` samples on both sides are left out. `n_fft` is found from the number of frequencies;
        an odd one has to be given. `length` cuts the result off or fills it up with zeros. With `onesided=False` it is
        complex.

        Raises `ValueError` for an array with fewer than two axes or without frames, and for frequencies that `n_fft` has not.

        >>> x = pb.arange(16.0)
        >>> pb.allclose(pb.fft.istft(pb.fft.stft(x, n_fft=8)), x, atol=1e-5).item()
        True
        """
    @staticmethod
    def rfft(a: _ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        The first `n // 2 + 1` elements of `fft` of real numbers, at half its cost: the others are their conjugates. Of
        complex numbers the real parts are taken.

        >>> pb.fft.rfft(pb.array([1.0, 2.0, 3.0, 4.0]))
        array([10.+0.j, -2.+2.j, -2.+0.j], dtype=complex64)
        """
    @staticmethod
    def rfft2(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = (-2, -1), norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        `rfftn` along two axes.

        >>> pb.fft.rfft2(pb.ones((3, 4, 4))).shape
        (3, 4, 3)
        """
    @staticmethod
    def rfftfreq(n: int, d: float = 1.0, *, stream: _StreamOrDevice = None) -> array:
        """
        The frequencies of the elements of `rfft` of `n` samples that are `d` apart, as `float32`.

        >>> pb.fft.rfftfreq(5, 0.1)
        array([0., 2., 4.], dtype=float32)
        """
    @staticmethod
    def rfftn(a: _ArrayLike, s: None | int | Sequence[int] = None, axes: None | int | Sequence[int] = None, norm: str | None = 'backward', *, stream: _StreamOrDevice = None) -> array:
        """
        `rfft` along the last of the axes, then `fft` along the others; axes and lengths as for `fftn`.

        >>> pb.fft.rfftn(pb.ones((4, 6))).shape
        (4, 4)
        """
    @staticmethod
    def stft(x: _ArrayLike, n_fft: int = 2048, hop_length: int | None = None, win_length: int | None = None, window: _ArrayLike | None = None, center: bool = True, pad_mode: str = 'reflect', norm: str | None = 'backward', onesided: bool | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        The Fourier transforms of overlapping frames of a signal: `(.., samples) -> (.., frequencies, frames)`.

        Frames have `n_fft` samples and start `hop_length` apart (a quarter of `n_fft`, by default). They are multiplied by
        `window`, of `win_length` elements, with zeros on both sides of it if that is less than `n_fft`. With `center` the
        signal is continued by `n_fft // 2` on both sides: mirrored (`"reflect"`), with zeros (`"constant"`), or with its ends
        (`"edge"`). With `onesided` there are the `n_fft // 2 + 1` frequencies that are not negative, which is the default
        for real signals and impossible for complex ones.

        Raises `ValueError` for a signal that is shorter than a frame, or not longer than what is to be mirrored, for lengths
        below 1, and for a window that does not fit.

        >>> pb.fft.stft(pb.ones(16), n_fft=8).shape
        (5, 9)
        """

class linalg:
    @staticmethod
    def cholesky(a: _ArrayLike, upper: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        The Cholesky factor of symmetric or Hermitian, positive definite matrices `[.., n, n]`: lower, so that it times its
        conjugate transpose is `a`, or upper. Only that triangle of `a` is read, so that it alone has a gradient. Where a
        matrix is not positive definite the factor is NaN, and no error: one matrix must not stop a batch.

        >>> pb.linalg.cholesky(pb.array([[4.0, 2.0], [2.0, 10.0]]))
        array([[2., 0.],
               [1., 3.]], dtype=float32)
        """
    @staticmethod
    def cholesky_inv(a: _ArrayLike, upper: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of a matrix from its Cholesky factor `a`, lower or upper.

        >>> pb.linalg.cholesky_inv(pb.array([[2.0, 0.0], [0.0, 4.0]]))
        array([[0.25  , 0.    ],
               [0.    , 0.0625]], dtype=float32)
        """
    @staticmethod
    def cond(x: _ArrayLike, p: int | float | str | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        How much larger the relative error of a solution may be than that of the system: of matrices `[.., m, n]` the quotient
        of the largest and the smallest singular value, or, of square ones, the product of the norm `p` and that of the inverse.

        >>> pb.linalg.cond(pb.array([[4.0, 0.0], [0.0, 2.0]])).item()
        2.0
        """
    @staticmethod
    def cross(a: _ArrayLike, b: _ArrayLike, axis: int = -1, *, stream: _StreamOrDevice = None) -> array:
        """
        The cross product along an axis of 2 or 3 elements, of which a missing third is zero. Of two elements each it is the
        third of the product alone, in an axis of 1.

        >>> pb.linalg.cross(pb.array([1, 0, 0]), pb.array([0, 1, 0]))
        array([0, 0, 1], dtype=int32)
        """
    @staticmethod
    def det(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
        """
        The determinant of square matrices `[.., n, n]`. Up to three rows it is written out, and has its derivative at
        singular matrices too; of larger singular ones the derivative is NaN.

        >>> pb.linalg.det(pb.array([[1.0, 2.0], [3.0, 4.0]])).item()
        -2.0
        """
    @staticmethod
    def diagonal(x: _ArrayLike, /, *, offset: int = 0, stream: _StreamOrDevice = None) -> array:
        """
        The `offset`-th diagonal of matrices `[.., m, n]`: that of the array API, over the last two axes.

        >>> pb.linalg.diagonal(pb.array([[1, 2], [3, 4]]))
        array([1, 4], dtype=int32)
        """
    @staticmethod
    def eig(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> tuple[array, array]:
        """
        Eigenvalues of square matrices `[.., n, n]` in any order, and the vectors of length 1 as columns; always `complex64`.

        A vector is determined up to its phase: its first large component is real and positive. The gradient is that of the choice
        that does not turn it: right for what does not depend on the phase, and NaN or infinite for vectors of equal values.

        >>> w, v = pb.linalg.eig(pb.array([[0.0, 1.0], [-1.0, 0.0]]))
        >>> sorted(pb.imag(w).tolist())
        [-1.0, 1.0]
        """
    @staticmethod
    def eigh(a: _ArrayLike, UPLO: str = 'L', *, stream: _StreamOrDevice = None) -> tuple[array, array]:
        """
        Eigenvalues of symmetric or Hermitian matrices `[.., n, n]` in ascending order, and the vectors as columns. Only the
        lower (`"L"`) or upper (`"U"`) triangle is read, so that it alone has a gradient. That of vectors of equal values is
        infinite or NaN; that of the sum of these values is right there too. The first large component of a vector is real and
        positive; the gradient of complex ones is right for what does not depend on the phase.

        >>> w, v = pb.linalg.eigh(pb.array([[1.0, -2.0], [-2.0, 1.0]]))
        >>> pb.round(w, 4)
        array([-1.,  3.], dtype=float32)
        """
    @staticmethod
    def eigvals(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
        """Eigenvalues of square matrices `[.., n, n]` in any order; always `complex64`."""
    @staticmethod
    def eigvalsh(a: _ArrayLike, UPLO: str = 'L', *, stream: _StreamOrDevice = None) -> array:
        """
        Eigenvalues of symmetric or Hermitian matrices `[.., n, n]` in ascending order, of which one triangle is read.

        >>> pb.linalg.eigvalsh(pb.array([[2.0, 0.0], [0.0, 1.0]]))
        array([1., 2.], dtype=float32)
        """
    @staticmethod
    def inv(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
        """
        The inverse of square matrices `[.., n, n]`. Of a singular matrix it is infinite or NaN, and no error.

        >>> pb.linalg.inv(pb.array([[2.0, 0.0], [0.0, 4.0]]))
        array([[0.5 , 0.  ],
               [0.  , 0.25]], dtype=float32)
        """
    @staticmethod
    def lu(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> tuple[array, array, array]:
        """
        The LU factorization with partial pivoting of matrices `[.., m, n]`: places `p` (`uint32`), `l` with ones on its
        diagonal, and `u`, so that `a` is the product of `l`, with its rows taken at `p`, and `u`.

        >>> p, l, u = pb.linalg.lu(pb.array([[1.0, 2.0], [4.0, 4.0]]))
        >>> pb.matmul(l[p, :], u)
        array([[1., 2.],
               [4., 4.]], dtype=float32)
        """
    @staticmethod
    def lu_factor(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> tuple[array, array]:
        """
        The LU factorization with partial pivoting in one array, without the ones on the diagonal of the lower factor, and for
        each row in turn the one that it was exchanged with, counted from 0 (`uint32`).
        """
    @staticmethod
    def matmul(a: _ArrayLike, b: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
        """
        The product of matrices; leading axes broadcast, vectors are rows on the left and columns on the right.

        >>> pb.matmul(pb.array([[1, 2]]), pb.array([[3], [4]]))
        array([[11]], dtype=int32)
        """
    @staticmethod
    def matrix_norm(x: _ArrayLike, /, *, keepdims: bool = False, ord: int | float | str = 'fro', stream: _StreamOrDevice = None) -> array:
        """
        The norm of matrices `[.., m, n]`: that of the array API.

        >>> pb.linalg.matrix_norm(pb.array([[3.0, 0.0], [0.0, 4.0]])).item()
        5.0
        """
    @staticmethod
    def matrix_power(a: _ArrayLike, n: int, *, stream: _StreamOrDevice = None) -> array:
        """
        Square matrices `[.., n, n]` multiplied by themselves `n` times; of a negative `n`, the inverse is.

        >>> pb.linalg.matrix_power(pb.array([[1, 1], [0, 1]]), 3)
        array([[1, 3],
               [0, 1]], dtype=int32)
        """
    @staticmethod
    def matrix_rank(x: _ArrayLike, /, *, rtol: _ArrayLike | None = None, stream: _StreamOrDevice = None) -> array:
        """
        How many singular values of matrices `[.., m, n]` are above `rtol` times the largest, as `int32`; `rtol` is the rounding
        error times the longer side if it is not given.

        >>> pb.linalg.matrix_rank(pb.ones((3, 3))).item()
        1
        """
    @staticmethod
    def matrix_transpose(a: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
        """
        Matrices transposed: the last two axes exchanged.

        >>> pb.matrix_transpose(pb.zeros((4, 2, 3))).shape
        (4, 3, 2)
        """
    @staticmethod
    def norm(a: _ArrayLike, /, ord: int | float | str | None = None, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """
        The norm of vectors along one `axis`, of matrices along two. Without `axis` it is that of the whole array, as a vector
        if there is no `ord`; with one, the array has one axis or two.

        `ord` is `None` (the root of the sum of squares), `inf`, `-inf`, or any number of vectors; of matrices `'fro'`, `'nuc'`
        (the sum of singular values), `1`, `2` (the largest singular value), `inf` (the largest sum of a row), or one of these
        negative. The gradient of the 2-norm at 0 is 0.

        >>> pb.linalg.norm(pb.array([3.0, 4.0])).item()
        5.0
        >>> pb.linalg.norm(pb.array([[1.0, 2.0], [3.0, 4.0]]), "fro", axis=(0, 1)).shape
        ()
        """
    @staticmethod
    def outer(a: _ArrayLike, b: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
        """
        Products of all pairs of elements of two vectors.

        >>> pb.outer(pb.array([1, 2]), pb.array([3, 4]))
        array([[3, 4],
               [6, 8]], dtype=int32)
        """
    @staticmethod
    def pinv(a: _ArrayLike, rtol: _ArrayLike | None = None, *, stream: _StreamOrDevice = None) -> array:
        """
        The pseudo-inverse (Moore, Penrose) of matrices `[.., m, n]`. Singular values up to `rtol` times the largest are taken
        for zero; `rtol` is ten times the rounding error times the longer side if it is not given. The gradient is that at a
        constant rank.

        >>> pb.linalg.pinv(pb.array([[2.0], [0.0]]))
        array([[0.5, 0. ]], dtype=float32)
        """
    @staticmethod
    def qr(a: _ArrayLike, mode: str = 'reduced', *, stream: _StreamOrDevice = None) -> tuple[array, array]:
        """
        The QR factorization of matrices `[.., m, n]`: `q` with orthonormal columns, as many as the shorter side has
        (`"reduced"`) or `m` (`"complete"`), and `r` upper triangular, with the signs of LAPACK. The gradient of a complete `q`
        with more columns than `a` is an error: they are any basis of the rest.

        >>> q, r = pb.linalg.qr(pb.array([[2.0, 3.0], [1.0, 2.0]]))
        >>> pb.allclose(q @ r, pb.array([[2.0, 3.0], [1.0, 2.0]])).item()
        True
        """
    @staticmethod
    def slogdet(a: _ArrayLike, *, stream: _StreamOrDevice = None) -> tuple[array, array]:
        """
        The sign of the determinant of square matrices and the logarithm of its absolute value: 0 and `-inf` of singular ones.

        >>> sign, logarithm = pb.linalg.slogdet(pb.array([[0.0, 1.0], [1.0, 0.0]]))
        >>> sign.item(), logarithm.item()
        (-1.0, 0.0)
        """
    @staticmethod
    def solve(a: _ArrayLike, b: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
        """
        The solution `x` of `a x = b`: `a` is square matrices `[.., n, n]`, `b` is `[.., n, k]` or a vector `[n]`; leading axes
        broadcast. Of a singular system it is infinite or NaN, and no error. The gradient uses the factors again.

        >>> pb.linalg.solve(pb.array([[2.0, 0.0], [0.0, 4.0]]), pb.array([2.0, 2.0]))
        array([1. , 0.5], dtype=float32)
        """
    @staticmethod
    def solve_triangular(a: _ArrayLike, b: _ArrayLike, *, upper: bool = False, stream: _StreamOrDevice = None) -> array:
        """
        The solution `x` of `a x = b` for lower (or upper) triangular `a`, of which only that triangle is read. Shapes are those
        of `solve`.

        >>> pb.linalg.solve_triangular(pb.array([[2.0, 0.0], [1.0, 1.0]]), pb.array([2.0, 2.0]))
        array([1., 1.], dtype=float32)
        """
    @staticmethod
    def svd(a: _ArrayLike, compute_uv: bool = True, full_matrices: bool = True, *, stream: _StreamOrDevice = None) -> Any:
        """
        The singular value decomposition of matrices `[.., m, n]`: `u`, `s` and `vh`, so that `u diag(s) vh` is `a`; without
        `compute_uv`, `s` alone. Values are in descending order. `u` and `vh` are square, or have as many vectors as there are
        values where `full_matrices` is false.

        Vectors are determined up to their sign (their phase): the first large component of those in `u` is real and positive.
        The gradient of complex ones is that of the choice that does not turn them: right for what does not depend on the phase.
        That of vectors of equal values is infinite or NaN, that of vectors that fill up a square matrix is an error.

        >>> pb.linalg.svd(pb.array([[3.0, 0.0], [0.0, 4.0]]), compute_uv=False)
        array([4., 3.], dtype=float32)
        """
    @staticmethod
    def svdvals(x: _ArrayLike, /, *, stream: _StreamOrDevice = None) -> array:
        """Singular values of matrices `[.., m, n]` in descending order."""
    @staticmethod
    def tensordot(a: _ArrayLike, b: _ArrayLike, /, axes: int | Sequence[Sequence[int]] = 2, *, stream: _StreamOrDevice = None) -> array:
        """
        Sums of products over axes: the last so many of `a` with the first of `b`, or a list for each.

        >>> pb.tensordot(pb.ones((2, 3)), pb.ones((3, 4)), 1).shape
        (2, 4)
        """
    @staticmethod
    def trace(x: _ArrayLike, /, *, offset: int = 0, dtype: _DtypeLike | None = None, stream: _StreamOrDevice = None) -> array:
        """
        The sum of the `offset`-th diagonal of matrices `[.., m, n]`: that of the array API, over the last two axes.

        >>> pb.linalg.trace(pb.array([[1, 2], [3, 4]])).item()
        5
        """
    @staticmethod
    def tri_inv(a: _ArrayLike, upper: bool = False, *, stream: _StreamOrDevice = None) -> array:
        """The inverse of triangular matrices `[.., n, n]`, lower or upper. Only that triangle is read."""
    @staticmethod
    def vecdot(a: _ArrayLike, b: _ArrayLike, /, *, axis: int = -1, stream: _StreamOrDevice = None) -> array:
        """
        Sums of products over one axis of both arrays; the other axes broadcast. Of complex numbers the first is conjugated.

        >>> pb.vecdot(pb.array([[1, 2], [3, 4]]), pb.array([1, 1]))
        array([3, 7], dtype=int32)
        """
    @staticmethod
    def vector_norm(x: _ArrayLike, /, *, axis: None | int | Sequence[int] = None, keepdims: bool = False, ord: int | float = 2, stream: _StreamOrDevice = None) -> array:
        """
        The norm of vectors along any axes, or of the whole array: that of the array API.

        >>> pb.linalg.vector_norm(pb.array([[3.0, 4.0], [6.0, 8.0]]), axis=1)
        array([ 5., 10.], dtype=float32)
        """

class fast:
    @final
    class WgslKernel:
        """A kernel in WGSL, to be called with arrays; see `pb.fast.wgsl_kernel`."""
        def __call__(
            self,
            *,
            inputs: Sequence[_ArrayLike],
            output_shapes: Sequence[int | Sequence[int]],
            output_dtypes: Sequence[_DtypeLike],
            grid: tuple[int, int, int],
            threadgroup: tuple[int, int, int] | None = None,
            workgroup: tuple[int, int, int] | None = None,
            template: Sequence[tuple[str, bool | int | _DtypeLike]] | None = None,
            init_value: float | None = None,
            verbose: bool = False,
            vmap_method: str | None = None,
            stream: _StreamOrDevice = None,
        ) -> list[array]: ...
    @staticmethod
    def cross_entropy(logits: _ArrayLike, targets: _ArrayLike, *, stream: _StreamOrDevice = None) -> array:
        """
        `logsumexp(logits) - logits[target]` along the last axis: how unlikely the target classes are.

        `targets` are integers of the shape of `logits` without the last axis, and so is the result, in `float32`. A
        negative target counts from the last class; what is still out of range takes the nearest. Of the probabilities,
        which the derivative is made of, nothing is kept.

        >>> pb.fast.cross_entropy(pb.array([[0.0, 0.0], [0.0, 100.0]]), pb.array([0, 1]))
        array([0.6931472, 0.       ], dtype=float32)
        """
    @staticmethod
    def gated_delta_update(q: _ArrayLike, k: _ArrayLike, v: _ArrayLike, gamma: _ArrayLike, beta: _ArrayLike, initial_state: _ArrayLike | None = None, mask: _ArrayLike | None = None, stream: _StreamOrDevice = None) -> list[array]:
        """
        A linear attention with a state that forgets and corrects itself: outputs `[B, T, Hv, Dv]`, and the last state.

        `q` and `k` are `[B, T, Hk, Dk]`, `v` is `[B, T, Hv, Dv]`, `gamma` and `beta` are `[B, T, Hv]`, the state is
        `[B, Hv, Dv, Dk]`, zeros at first. At each step

            s = gamma * s
            s = s + beta * outer(v - s @ k, k)
            y = s @ q

        where `mask`, `[B, T]`, is true; elsewhere the state stays as it is. Steps are taken in chunks, within which there
        are products only. The new state has the type of the old one, or else `float32`.

        >>> k = pb.array([[[[1.0, 0.0]], [[1.0, 0.0]]]])
        >>> v = pb.array([[[[5.0]], [[7.0]]]])
        >>> y, state = pb.fast.gated_delta_update(k, k, v, pb.ones((1, 2, 1)), pb.ones((1, 2, 1)))
        >>> y.tolist(), state.tolist()
        ([[[[5.0]], [[7.0]]]], [[[[7.0, 0.0]]]])
        """
    @staticmethod
    def layer_norm(x: _ArrayLike, weight: _ArrayLike | None, bias: _ArrayLike | None, eps: float, *, stream: _StreamOrDevice = None) -> array:
        """
        `x` less its mean, over its standard deviation, along the last axis; times `weight`, plus `bias`.

        `weight` and `bias`, if not None, have the size of the last axis; `eps` is added to the variance. Half floats are
        computed on in `float32`. The derivative is stated, and keeps nothing but the arguments.

        >>> pb.fast.layer_norm(pb.array([1.0, 3.0]), None, pb.array([0.0, 10.0]), 0.0)
        array([-1., 11.], dtype=float32)
        """
    @staticmethod
    def rms_norm(x: _ArrayLike, weight: _ArrayLike | None, eps: float, *, stream: _StreamOrDevice = None) -> array:
        """
        `x` over its root mean square along the last axis, times `weight`: `x * rsqrt(mean(x ** 2) + eps) * weight`.

        `weight`, if not None, has the size of the last axis. Half floats are computed on in `float32`. The derivative is
        stated, keeps nothing but the arguments, and is exact to the last digits where `x` is large or small.

        >>> pb.fast.rms_norm(pb.array([3.0, 4.0]), None, 0.0) * 12.5 ** 0.5
        array([3., 4.], dtype=float32)
        """
    @staticmethod
    def rope(a: _ArrayLike, dims: int, *, traditional: bool, base: float | None, scale: float, offset: int | array, freqs: _ArrayLike | None = None, stream: _StreamOrDevice = None) -> array:
        """
        Pairs of features rotated by angles that grow with their position: `a` is `(B, .., T, D)`, `T` positions.

        The first `dims` features are rotated, the others left alone. Pairs are neighbours if `traditional`, or else one of
        the first half and one of the second. Position `t` turns pair `i` by `(t + offset) * scale * base ** (-2 * i /
        dims)`, or over `freqs[i]` if `base` is None. `offset` is an integer, or an array of one for each of `B`.

        >>> x = pb.array([[[1.0, 0.0], [1.0, 0.0]]])
        >>> pb.round(pb.fast.rope(x, 2, traditional=True, base=10000.0, scale=1.0, offset=0)[0, 1], 2)
        array([0.54, 0.84], dtype=float32)
        """
    @staticmethod
    def scaled_dot_product_attention(q: _ArrayLike, k: _ArrayLike, v: _ArrayLike, *, scale: float, mask: None | str | array = None, sinks: _ArrayLike | None = None, force_fused: bool = False, stream: _StreamOrDevice = None) -> array:
        """
        Attention of several heads: `softmax(scale * q @ k.T) @ v`, without the block of all probabilities.

        `q` is `[B, N_q, T_q, D]`, `k` and `v` are `[B, N_kv, T_kv, D]`, and each of their heads serves `N_q / N_kv` of
        `q`, without being repeated. Half floats are computed on in `float32`. `mask` is None; `"causal"`, with which a
        query sees the keys up to its own place, the last query being at the place of the last key; truth values, where
        keys are seen; or numbers that are added to the products. It broadcasts to `[B, N_q, T_q, T_kv]`. `sinks`, one for
        each head of `q`, is the product with one more key, whose value is 0. A query that sees no key by truth values
        takes the mean of all values; without keys the result is 0.

        What is as long as the keys exists for some queries at a time, in the derivative too, which computes the
        probabilities again. There is no other way here, so `force_fused` changes nothing.

        >>> q = k = v = pb.array([[[[1.0, 0.0], [0.0, 1.0]]]])
        >>> pb.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask="causal")[0, 0, 0]
        array([1., 0.], dtype=float32)
        """
    @staticmethod
    def wgsl_kernel(name: str, input_names: Sequence[str], output_names: Sequence[str], source: str, header: str = '', ensure_row_contiguous: bool = True, atomic_outputs: bool = False) -> fast.WgslKernel:
        """
        A kernel for the GPU, written in WGSL: an object that is called with arrays, and makes arrays.

        `source` is the body of a function, which runs once for each thread. It finds the arrays by the names in
        `input_names` and `output_names`, as WGSL arrays of all elements in order; where it mentions `x_shape`,
        `x_strides` or `x_ndim`, these are there for the array `x`. Which thread it is say `global_invocation_id`,
        `local_invocation_id`, `local_invocation_index` and `workgroup_id`. `header` goes before the function: other
        functions, and variables of a workgroup.

        The text is checked when the kernel is called. A mistake is a `ValueError` with its line. What is computed is lazy
        as all operations are, and runs on the GPU wherever the arrays are. It has no derivative of its own: call it within
        a custom function with a rule. docs/wgsl_kernel.md tells all of it.

        `ensure_row_contiguous` changes nothing: the arrays that a kernel sees are always contiguous. With `atomic_outputs`
        outputs are atomic integers.

        >>> double = pb.fast.wgsl_kernel("double", ["x"], ["y"], "let i = global_invocation_id.x; y[i] = 2.0 * x[i];")
        >>> x = pb.array([1.0, 2.0, 3.0])
        >>> if pb.is_available(pb.gpu):
        ...     how = {"output_shapes": [x.shape], "output_dtypes": [x.dtype], "grid": (3, 1, 1)}
        ...     (y,) = double(inputs=[x], threadgroup=(64, 1, 1), **how)
        ... else:
        ...     y = 2 * x
        >>> y
        array([2., 4., 6.], dtype=float32)
        """
