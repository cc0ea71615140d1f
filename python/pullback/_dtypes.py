"""Families of element types. What the types are, and what they promote to, the compiled half says."""

import enum

from pullback import _core

# What names a dtype.
DtypeLike = _core.Dtype | str | type
DTYPES = tuple(member for member in vars(_core).values() if isinstance(member, _core.Dtype))


class DtypeCategory(enum.Enum):
    """The families of element types: each is part of the one it is listed under.

    - `generic`: every type, `bool_` among them
      - `number`
        - `integer`: `signedinteger` and `unsignedinteger`
        - `inexact`: `floating` and `complexfloating`

    The members are names of the package as well.

    >>> pb.DtypeCategory.floating is pb.floating
    True
    """

    complexfloating = 0
    floating = 1
    inexact = 2
    signedinteger = 3
    unsignedinteger = 4
    integer = 5
    number = 6
    generic = 7


complexfloating = DtypeCategory.complexfloating
floating = DtypeCategory.floating
inexact = DtypeCategory.inexact
signedinteger = DtypeCategory.signedinteger
unsignedinteger = DtypeCategory.unsignedinteger
integer = DtypeCategory.integer
number = DtypeCategory.number
generic = DtypeCategory.generic

# The category around each.
OUTER = {
    complexfloating: inexact,
    floating: inexact,
    signedinteger: integer,
    unsignedinteger: integer,
    inexact: number,
    integer: number,
    number: generic,
}
# The array API's names for them.
KINDS = {
    "signed integer": signedinteger,
    "unsigned integer": unsignedinteger,
    "integral": integer,
    "real floating": floating,
    "complex floating": complexfloating,
    "numeric": number,
}


def category(dtype: DtypeLike) -> DtypeCategory:
    """The smallest category that a type is in."""
    return DtypeCategory[_core._category(dtype)]


def issubdtype(arg1: DtypeLike | DtypeCategory, arg2: DtypeLike | DtypeCategory) -> bool:
    """Whether a dtype or category is a part of another.

    A dtype is a part of itself and of the categories around it, never of another dtype; a category is a part
    of itself and of those around it. Dtypes may be given as everywhere: `pb.float32`, `"float32"`,
    `np.float32`; whatever is neither is a `TypeError`.

    >>> pb.issubdtype(pb.float32, pb.inexact), pb.issubdtype(pb.bool_, pb.integer)
    (True, False)
    >>> pb.issubdtype(pb.signedinteger, pb.number)
    True
    """
    if not isinstance(arg2, DtypeCategory):
        whole = _core.Dtype(arg2)
        return not isinstance(arg1, DtypeCategory) and _core.Dtype(arg1) == whole
    within = arg1 if isinstance(arg1, DtypeCategory) else category(arg1)
    while within is not arg2 and within in OUTER:
        within = OUTER[within]
    return within is arg2


def isdtype(dtype: DtypeLike, kind: _core.Dtype | str | tuple[_core.Dtype | str, ...]) -> bool:
    """Whether a dtype is of a kind, or of one of several in a tuple.

    A kind is a dtype or one of the array API's words: `"bool"`, `"signed integer"`, `"unsigned integer"`,
    `"integral"`, `"real floating"`, `"complex floating"` and `"numeric"`, which excludes booleans. Another
    word is a `ValueError`.

    >>> pb.isdtype(pb.bfloat16, "real floating")
    True
    >>> pb.isdtype(pb.bool_, ("integral", pb.bool_)), pb.isdtype(pb.bool_, "numeric")
    (True, False)
    """
    dtype = _core.Dtype(dtype)
    # Every kind is looked at, so that a misspelt one is an error whatever stands before it.
    return any([_is_kind(dtype, one) for one in (kind if isinstance(kind, tuple) else (kind,))])


def _is_kind(dtype: _core.Dtype, kind: object) -> bool:
    if isinstance(kind, _core.Dtype):
        return dtype == kind
    if isinstance(kind, str) and kind == "bool":
        return dtype == _core.bool_
    if not isinstance(kind, str) or kind not in KINDS:
        words = ", ".join(map(repr, ["bool", *KINDS]))
        raise ValueError(f"[isdtype] expected a dtype, one of {words}, or a tuple of these, got {kind!r}")
    return issubdtype(dtype, KINDS[kind])


REAL = tuple(dtype for dtype in DTYPES if issubdtype(dtype, floating))
INEXACT = tuple(dtype for dtype in DTYPES if issubdtype(dtype, inexact))
