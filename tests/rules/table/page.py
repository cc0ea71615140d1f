"""The page that tells of the table: what a run found of the doors, beside what was measured of others."""

from collections import Counter

from table.published import ROWS, SECTIONS, SYSTEMS

HEAD = """\
# Custom rules: the table of compositions

This page is written by `tests/rules/test_table.py`, which asks every row of every door.
Every mark in the first six columns is what it found.
The function asked is x², with rules that say something else, so that a number tells which rule answered.
The vjp rule is 10·g·x, the jvp rule 100·t·x, the vmap rule x² + 7.

| mark | meaning |
|---|---|
| W | works, and the rule that is given is used; where no rule is given, the function itself answers |
| E | a clear error, which names the function or the argument |
| u | the idiom has no such feature |
| O | an obscure or misleading error |
| **S** | silently wrong, or a rule silently skipped |
| **X** | a crash |
| · | not measured |

A mark such as W/E depends on the variant.
In the first six columns nothing but W, E and u passes the tests.
A number at a mark leads to the notes below the table.

The other columns were measured on CPU.
The versions are MLX 0.32.4, JAX 0.10.2, PyTorch 2.13.0, TensorFlow 2.21.0 and flax 0.12.8.
"""


def render(doors, marks):
    """The page, of marks by number and door."""
    names = [door.name for door in doors]
    notes: dict[str, int] = {}
    lines = [*HEAD.splitlines(), ""]
    lines += [f"- {short}: {what}" for short, what in SYSTEMS.items()]
    lines += ["", "## Tally", "", *tally(names, marks), "", "## Rows", ""]
    lines += [line("#", "composition", *(f"`{name}`" for name in names), *SYSTEMS)]
    lines += ["|" + "---|" * (2 + len(names) + len(SYSTEMS))]
    for number, (title, theirs) in ROWS.items():
        if number in SECTIONS:
            lines.append(line("", f"**{SECTIONS[number]}**", *[""] * (len(names) + len(SYSTEMS))))
        ours = [cell(marks[number, name], notes) for name in names]
        lines.append(line(number, title, *ours, *(bold(mark) for mark in theirs)))
    lines += ["", "## Notes", ""]
    lines += [f"{at}. {sentence(reason)}" for reason, at in notes.items()]
    return "\n".join(lines) + "\n"


def line(*cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def cell(mark, notes):
    if not mark.reason:
        return mark.letter
    return f"{mark.letter} <sup>{notes.setdefault(mark.reason, len(notes) + 1)}</sup>"


def bold(mark):
    return f"**{mark}**" if set(mark) & set("SX") else mark


def sentence(reason):
    return reason if reason[0] == "`" else reason[0].upper() + reason[1:]


def tally(names, marks):
    """How often each mark stands in each column."""
    letters = ["W", "E", "u", "O", "S", "mixed", "·"]
    ours = {f"`{name}`": [marks[number, name].letter for number in ROWS] for name in names}
    theirs = {
        short: [row[i] if len(row[i]) == 1 else "mixed" for _, row in ROWS.values()]
        for i, short in enumerate(SYSTEMS)
    }
    yield line("column", *letters)
    yield "|" + "---|" * (1 + len(letters))
    for name, column in (ours | theirs).items():
        counts = Counter(column)
        yield line(name, *(counts[letter] for letter in letters))
