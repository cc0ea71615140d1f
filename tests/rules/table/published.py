"""The 114 compositions, and what other systems do there, as measured.

MLX 0.32.4, JAX 0.10.2, PyTorch 2.13.0, TensorFlow 2.21.0 and flax 0.12.8, on CPU.
"""

# Each column, and what it stands for.
SYSTEMS = {
    "MLX": "`mlx.core.custom_function`",
    "Jvjp": "`jax.custom_vjp`",
    "Jjvp": "`jax.custom_jvp`",
    "Jvmap": "`jax.custom_batching.custom_vmap`",
    "Jhi": "`jax.experimental.hijax.VJPHiPrimitive`",
    "torch": "`torch.autograd.Function`",
    "TF": "`tf.custom_gradient`",
    "nnx": "`flax.nnx.custom_vjp`",
}

# The number of the first row of each section.
SECTIONS = {
    1: "First order",
    13: "Composition",
    29: "Compile, checkpoint, export",
    40: "Nesting, bodies, capture",
    51: "Arguments and values",
    87: "Failure modes",
}

TEXT = """
1 | forward call, no transform | W W W W W W W W
2 | grad | W W W O W W W W
3 | value_and_grad | W W W O W W W W
4 | vjp transform | W W W O W W W W
5 | jvp transform (jvp rule given where the API has one) | W E W W W W S E
6 | vmap, vmap rule given: rule fires | W u u W W W u u
7 | vmap, no vmap rule: forward values right | W W W E E E W W
8 | vmap in_axes (None, 1), out_axes=1, default rule | W W W W W W u ·
9 | vmap in_axes (None, 1), out_axes=1, vmap rule | W u u W · W u u
10 | vmap rule returns an unbatched output (out axis None/False) | O u u W · W u u
11 | vmap∘vmap with vmap rule (rule seen by both levels) | W u u W W W u u
12 | vmap rule can learn the axis size when told which args are batched | W u u W W W u u
13 | grad∘grad: 2nd order goes through the rule | W W W O W W W W
14 | grad∘grad∘grad | W W W · · W W ·
15 | grad∘vmap, vjp rule only: does the custom vjp still fire? | S W W u W W S W
16 | grad∘vmap, vjp+vmap rules: does the custom vjp still fire? | S W u W S S u ·
17 | vmap∘grad, vjp rule only | W W W O W W W W
18 | vmap∘grad, vjp+vmap rules | W W u O · W u ·
19 | jvp∘vmap, jvp rule only: does the custom jvp fire? | S u W W W W S ·
20 | vmap∘jvp, jvp rule only | W u W W W W S ·
21 | jvp∘grad (HVP fwd-over-rev), vjp rule (+jvp rule if allowed) | W u W · W W u ·
22 | jvp∘grad (HVP fwd-over-rev), vjp rule only | W W u · E E W W
23 | grad∘jvp (rev-over-fwd), jvp rule only | W O W · W W S ·
24 | jvp∘jvp, jvp rule only | W u W · W S S u
25 | jacobian: vmap of vjp | W W W O W W W W
26 | jacobian: vmap of jvp | W E W · W W u ·
27 | hessian (fwd-over-rev or rev-over-rev, batched) | W W/E W O W W W W
28 | linearize / linear_transpose of f | u E W O W W u ·
29 | compile(f) | W W W W W W W W
30 | compile(grad f) | W W W O W S W W
31 | grad(compile f) | W W W O W W W W
32 | compile(vmap f), vmap(compile f) | W W W W W O W ·
33 | compile(jvp f) | W E W W W S S ·
34 | compile(grad∘grad f) | W W W · W S W ·
35 | Python rule calls for 3 calls of compiled grad (1 = traced once) | W W W · W W W W
36 | rule replaced after compile: new rule picked up? | S S S · · S u ·
37 | checkpoint/remat directly on f: rule fires | W W W O E W W W
38 | checkpoint/remat of g that calls f: rule fires | W W W W S W W ·
39 | export / serialise a graph holding f and its grad | E W W · W S W ·
40 | custom inside the forward of a custom: outer rule fires, inner rule not called | S W W W · W W ·
41 | custom inside the rule of another custom (2nd order) | W W W · W W W ·
42 | rule calls f itself (recursive, 2nd order) | W W W · · W W ·
43 | body holds an op with no derivative; rule supplies it (grad + jvp) | O W W · · W W ·
44 | body holds an op with no vmap; vmap rule supplies it | O u u W · W u u
45 | closure-captured constant array used in f and rule | W W W W · W W W
46 | captured tracer used in f: gradient w.r.t. the captured value | S O O O O S S O
47 | captured tracer used in the rule: 2nd-order gradient through it | W W W · · W W ·
48 | captured batched (vmap) tracer in f | O W W O · W W ·
49 | captured batched tracer with a vmap rule defined | O W W O · W · ·
50 | captured mutable object (module params) gets gradients | S O O · · S W W
51 | multiple outputs, all used | W W W W · W W ·
52 | multiple outputs, one unused: what cotangent arrives? | W W W · W W W ·
53 | integer array input: what must / may the rule return | W W W · W W W ·
54 | integer array output beside a float one | W W W · · W W ·
55 | python scalar / string / callable positional argument | W E E E W W W/E ·
56 | declared non-differentiable argument (nondiff_argnums) | u W W · W u u W
57 | tracer passed to a declared non-differentiable argument | u E S · · u · ·
58 | dict/list/tuple args and outputs | W W W W W S/O W W
59 | rule returns a dict with other key order | S W W · · u · ·
60 | user-registered pytree node as arg | S W W · · u · ·
61 | keyword argument: python value | W/E W W W u W W ·
62 | keyword argument: array (gradient w.r.t. it) | W W/E W · · W S W
63 | default argument values | W W W · · E W ·
64 | None as argument | W W W W · W E ·
65 | rule can learn which inputs need a gradient | u W W · W W u ·
66 | forward can hand residuals to the backward without returning them | u W W · W W W W
67 | 2nd order through an intermediate kept from the forward for the backward | S W W · W S W ·
68 | non-linear vjp rule (clip) under grad∘vmap with a shared input: by example, then summed | S W u · W W S ·
69 | vmap(grad) in_axes (None,0): per-example gradients of a shared input | W W W · W W W ·
70 | compiled chain of 20 elementwise customs: same speed as the plain chain? (1e6 f32) | S W · · · W W ·
71 | error in a rule names the forward call site | u u W · · W u ·
72 | f(x, x): both cotangents add up | W W W · · W W ·
73 | f returns its input unchanged (identity), rule fires | W W W · · W W ·
74 | output does not depend on the input | W W W · · W W ·
75 | random key / RNG use inside f | W W W · W W W ·
76 | python `if` on array value in f under grad | W W W · W W W ·
77 | python `if` on a value in the rule under grad | W W W · · W W ·
78 | python `if` on array value in f under vmap | E E E · · E E ·
79 | in-place update of the input in f | W E E · · W E W
80 | in-place update of the cotangent in the rule | W E E · · W E ·
81 | f inside scan / while / cond | W W W W W W W W
82 | complex dtype input | W W W · · W W ·
83 | bf16/f16 input, rule computes in f32 and returns f32 | S S E · · W S ·
84 | decorating a method (self) | O O O O · u W E
85 | keeps __name__/__doc__/signature | u W W W · W W ·
86 | pickle / deepcopy of the wrapped function | u u W · · W W ·
87 | exception in forward: type + user frame kept | W W W · · W W ·
88 | exception in the vjp/jvp rule: type + user frame kept | W W W W W W W W
89 | after an exception in a rule, state is clean | W W W · · W W ·
90 | exception in rule under compile; second call clean | W W W · · O W ·
91 | vjp rule returns wrong shape | S E u · E E/S S E
92 | vjp rule returns wrong dtype | S S u · S W S S
93 | vjp rule returns too few gradients | S/X E u · O E E E
94 | vjp rule returns too many gradients | S E u · · E E ·
95 | vjp rule returns None (forgot return) | S/X E u · O S S E
96 | vjp rule returns None for one input | S W u · W W W W
97 | vjp rule returns None for the first of two inputs | S W u · · W W ·
98 | vjp rule returns python float | S E u · · E S ·
99 | vjp rule returns a numpy array | S W u · · E W ·
100 | vjp rule returns a non-array (str) | S E u · · E S ·
101 | vjp rule returns list instead of tuple | W W u · · E W ·
102 | jvp rule returns tangent of wrong shape/dtype | S u E · · E u u
103 | vmap rule returns malformed result | S u u S · S u u
104 | rule with the wrong number of parameters | E E E · · E E ·
105 | only vjp defined, jvp requested | S E u · E E S E
106 | only jvp defined, grad requested | S u W · E E u u
107 | only vmap defined, grad requested | W u u O · E u u
108 | no rule at all: behaves like the plain function? | W E E E E E O E
109 | rule evaluates a value (.item/print) under grad | W W W · · W W ·
110 | rule evaluates a value under vmap∘grad / jit | E E E · · E E ·
111 | how many times are f and the rules called for one grad / one jvp / one vmap | W W W W W W W ·
112 | 8 threads call grad(f) at once | W W W · W W W W
113 | 8 threads call vmap(grad f) / compiled at once | W W W W · W W ·
114 | memory: 2000 grads do not grow live objects | W W W · · W W ·
"""


def _rows():
    for line in TEXT.strip().splitlines():
        number, title, marks = line.split(" | ")
        yield int(number), (title, tuple(marks.split()))


# Number: (title, marks of the other systems in the order of `SYSTEMS`).
ROWS = dict(_rows())
