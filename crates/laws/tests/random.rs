//! Random numbers against constants of MLX 0.32, for the key 42. What is made of words by rounding alone is the same
//! to the last bit; what passes a transcendental function is the same to a few units.

use pullback::fun::{self, random};
use pullback::{Array, Dtype, Result, Scalar, Shape, to_f64};
use pullback_laws::close;
use pullback_laws::report::devices;

fn key() -> Result<Array> {
    random::key(42)
}

fn number(x: f64) -> Array {
    Array::scalar(Scalar::Float(x), Dtype::F32)
}

/// The name of what was drawn, what it is, and what it should be within so many units of its last place.
type Draw = (&'static str, Result<Array>, Vec<f64>, f64);

/// What rounding alone makes of words.
fn uniform(key: &Array) -> Result<Vec<Draw>> {
    let shape = Shape::new;
    let uniform = |low: f64, high: f64, dtype: Dtype| {
        random::uniform(&number(low), &number(high), &shape(&[5]), dtype, key)
    };
    let rows = pullback::array(&[0., -1.], &[2])?;
    let columns = pullback::array(&[1., 10.], &[2, 1])?;
    Ok(vec![
        (
            "split",
            random::split(key, 3),
            vec![3134548294., 3733159049., 3746501087., 894150801., 801545058., 2363201431.],
            0.,
        ),
        (
            "uniform",
            uniform(0., 1., Dtype::F32),
            vec![
                0.7298188805580139,
                0.8691938519477844,
                0.1964380443096161,
                0.20818570256233215,
                0.18662425875663757,
            ],
            0.,
        ),
        (
            "uniform in float16",
            uniform(-3.3, 1.7, Dtype::F16),
            vec![0.349609375, 1.04296875, -2.318359375, -2.259765625, -2.3671875],
            0.,
        ),
        (
            "uniform in bfloat16",
            uniform(0., 1., Dtype::Bf16),
            vec![0.73046875, 0.87109375, 0.1962890625, 0.2080078125, 0.1865234375],
            0.,
        ),
        (
            "uniform with arrays of bounds",
            random::uniform(&rows, &columns, &shape(&[2, 2]), Dtype::F32, key),
            vec![0.5741444230079651, 0.7132750749588013, 0.5946118235588074, -0.3140884041786194],
            0.,
        ),
    ])
}

/// What passes a transcendental function.
fn curved(key: &Array) -> Vec<Draw> {
    let shape = Shape::new;
    let normal = |dtype| random::normal(&shape(&[5]), dtype, None, None, key);
    let (half, brain) = (2f64.powi(13), 2f64.powi(16));
    vec![
        (
            "normal",
            normal(Dtype::F32),
            vec![
                0.612265408039093,
                1.1225886344909668,
                -0.8544130325317383,
                -0.8127323985099792,
                -0.8904047012329102,
            ],
            8.,
        ),
        (
            "normal in float16",
            normal(Dtype::F16),
            vec![0.6123046875, 1.123046875, -0.85400390625, -0.8125, -0.89013671875],
            2. * half,
        ),
        (
            "normal in bfloat16",
            normal(Dtype::Bf16),
            vec![0.61328125, 1.125, -0.85546875, -0.8125, -0.890625],
            2. * brain,
        ),
        (
            "normal with mean and deviation",
            random::normal(&shape(&[5]), Dtype::F32, Some(&number(1.5)), Some(&number(0.3)), key),
            vec![
                1.6836795806884766,
                1.836776614189148,
                1.2436760663986206,
                1.2561802864074707,
                1.232878565788269,
            ],
            8.,
        ),
    ]
}

/// The same, of other distributions.
fn tails(key: &Array) -> Vec<Draw> {
    let shape = Shape::new;
    vec![
        (
            "truncated normal",
            random::truncated_normal(&number(-1.), &number(2.), &shape(&[5]), Dtype::F32, key),
            vec![
                0.6937519311904907,
                1.1272079944610596,
                -0.4692138731479645,
                -0.4424688518047333,
                -0.4918155372142792,
            ],
            16.,
        ),
        (
            "laplace",
            random::laplace(&shape(&[5]), Dtype::F32, None, None, key),
            vec![
                -0.6155156493186951,
                -1.3408918380737305,
                0.9342608451843262,
                0.8761774897575378,
                0.9855106472969055,
            ],
            8.,
        ),
        (
            "gumbel",
            random::gumbel(&shape(&[4]), Dtype::F32, key),
            vec![0.5890136957168579, 1.8660064935684204, -1.037598729133606, -1.0206153392791748],
            8.,
        ),
    ]
}

/// What is chosen.
fn choices(key: &Array) -> Result<Vec<Draw>> {
    let shape = Shape::new;
    let logits = pullback::array(&[0.1, 0.2, 0.7, 3., 1., 0.], &[2, 3])?;
    let table = fun::reshape(&fun::index::iota(12, Dtype::I32)?, shape(&[3, 4]))?;
    Ok(vec![
        (
            "bernoulli",
            random::bernoulli(&number(0.3), &shape(&[8]), key),
            vec![0., 0., 1., 1., 0., 1., 1., 1.],
            0.,
        ),
        (
            "randint",
            random::randint(&number(-5.), &number(10.), &shape(&[8]), Dtype::I32, key),
            vec![5., 3., -2., -2., 6., -1., -5., -5.],
            0.,
        ),
        (
            "categorical",
            random::categorical(&logits, -1, &random::Draws::Count(5), key),
            vec![2., 2., 1., 2., 2., 0., 1., 1., 0., 0.],
            0.,
        ),
        (
            "categorical along the first axis",
            random::categorical(&logits, 0, &random::Draws::One, key),
            vec![1., 0., 0.],
            0.,
        ),
        (
            "categorical of a shape",
            random::categorical(&logits, -1, &random::Draws::Shape(shape(&[4, 2])), key),
            vec![2., 0., 2., 0., 2., 0., 2., 1.],
            0.,
        ),
        ("permutation", random::permutation(10, key), vec![5., 2., 7., 1., 6., 8., 0., 9., 4., 3.], 0.),
        (
            "permutation of columns",
            random::shuffle(&table, 1, key),
            vec![2., 3., 0., 1., 6., 7., 4., 5., 10., 11., 8., 9.],
            0.,
        ),
    ])
}

fn draws() -> Result<Vec<Draw>> {
    let key = key()?;
    Ok(uniform(&key)?.into_iter().chain(curved(&key)).chain(tails(&key)).chain(choices(&key)?).collect())
}

#[test]
fn draws_are_those_of_mlx() {
    for device in devices() {
        let _here = pullback::place::on(Some(device));
        for (name, drawn, want, ulps) in draws().expect("operands are made") {
            let drawn = drawn.unwrap_or_else(|error| panic!("{name}: {error}"));
            let found = to_f64(&drawn).expect("evaluates");
            let result = close(&found, &want, ulps * 2f64.powi(-23), 0.);
            result.unwrap_or_else(|text| panic!("{name} on {device}: {text}"));
        }
    }
}

/// FNV-1a over 32-bit words.
fn hash(words: impl Iterator<Item = u32>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3))
}

/// A hundred thousand numbers, every bit of them: product and sum must not be rounded as one.
#[test]
fn many_draws_are_those_of_mlx() {
    for device in devices() {
        let _here = pullback::place::on(Some(device));
        let (key, shape) = (key().expect("a key"), Shape::from([100_001]));
        let x = random::uniform(&number(-3.3), &number(1.7), &shape, Dtype::F32, &key).expect("fits");
        let bits = to_f64(&x).expect("evaluates").into_iter().map(|x| (x as f32).to_bits());
        assert_eq!(hash(bits), 0x42a2_9d43_7335_3562, "uniform on {device}");
        let n = random::randint(&number(-1000.), &number(1000.), &shape, Dtype::I32, &key).expect("fits");
        let bits = to_f64(&n).expect("evaluates").into_iter().map(|n| n as i32 as u32);
        assert_eq!(hash(bits), 0x50b7_b6c2_250e_f468, "randint on {device}");
    }
}

#[test]
fn keys_are_seeds_in_two_words() {
    let words = |seed: u64| to_f64(&random::key(seed).expect("a key")).expect("evaluates");
    assert_eq!(words(42), [0., 42.]);
    assert_eq!(words((1 << 40) + 7), [256., 7.]);
}

#[test]
fn misuse_is_an_error() {
    let (key, two) = (key().expect("a key"), Shape::from([2]));
    let wrong = pullback::array(&[1., 2.], &[2]).expect("fits");
    let wide = pullback::array(&[0., 1., 2.], &[3]).expect("fits");
    let cases = [
        (random::bits(&two, &wrong), "expected a key"),
        (random::uniform(&number(0.), &number(1.), &two, Dtype::I32, &key), "float type"),
        (random::uniform(&number(0.), &wide, &Shape::from([]), Dtype::F32, &key), "bounds that broadcast"),
        (random::randint(&number(0.), &number(1.), &two, Dtype::F32, &key), "integer type"),
        (random::categorical(&wide, 1, &random::Draws::One, &key), "axis"),
        (random::bernoulli(&wide, &Shape::from([3, 1]), &key), "broadcasts"),
    ];
    for (result, words) in cases {
        let error = result.expect_err(words);
        assert!(error.text().contains(words), "expected '{words}' in: {error}");
    }
}
