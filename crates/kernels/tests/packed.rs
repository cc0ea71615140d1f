//! Packed matrices: every format on every instruction set against codes taken out one by one.

use pullback_kernels::array::packed::{LANES, Matrix, Row, arrange, dots, position, unpack, vectors};
use pullback_kernels::{Codes, Isa};

const FORMATS: [(Codes, usize); 10] = [
    (Codes::Bits(1), 32),
    (Codes::Bits(2), 64),
    (Codes::Bits(3), 32),
    (Codes::Bits(4), 32),
    (Codes::Bits(5), 128),
    (Codes::Bits(6), 32),
    (Codes::Bits(8), 128),
    (Codes::E2m1, 16),
    (Codes::E2m1, 32),
    (Codes::E4m3, 32),
];

struct Noise(u64);

impl Noise {
    fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 32) as u32
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.word() as f32 / 2f32.powi(31) - 1.).collect()
    }
}

/// The number of a code: its digits one by one.
fn number(codes: Codes, code: u32) -> f64 {
    let float = |exponent: u32, mantissa: u32| {
        let (field, digits) = (code >> mantissa & ((1 << exponent) - 1), code & ((1 << mantissa) - 1));
        let fraction = f64::from(digits) / f64::from(1u32 << mantissa);
        let bias = (1 << (exponent - 1)) - 1;
        let size = if field == 0 {
            fraction * 2f64.powi(1 - bias)
        } else {
            (1. + fraction) * 2f64.powi(field as i32 - bias)
        };
        if code >> (exponent + mantissa) == 1 { -size } else { size }
    };
    match codes {
        Codes::Bits(_) => f64::from(code),
        Codes::E2m1 => float(2, 1),
        Codes::E4m3 => float(4, 3),
    }
}

struct Case {
    codes: Codes,
    group: usize,
    n: usize,
    rows: usize,
    words: Vec<u32>,
    scales: Vec<f32>,
    biases: Vec<f32>,
}

impl Case {
    fn of(codes: Codes, group: usize, n: usize, rows: usize, noise: &mut Noise) -> Case {
        let mut words: Vec<u32> = (0..rows * n * codes.bits() / 32).map(|_| noise.word()).collect();
        if codes == Codes::E4m3 {
            // No NaN.
            words.iter_mut().for_each(|word| *word &= 0xfefe_fefe);
        }
        let (scales, mut biases) = (noise.floats(rows * n / group), noise.floats(rows * n / group));
        if !matches!(codes, Codes::Bits(_)) {
            biases.clear();
        }
        Case { codes, group, n, rows, words, scales, biases }
    }

    fn row(&self, at: usize) -> Row<'_> {
        let (words, groups) = (self.words.len() / self.rows, self.scales.len() / self.rows);
        let biases = if self.biases.is_empty() { 0..0 } else { at * groups..(at + 1) * groups };
        Row {
            words: &self.words[at * words..(at + 1) * words],
            scales: &self.scales[at * groups..(at + 1) * groups],
            biases: &self.biases[biases],
        }
    }

    fn matrix(&self) -> Matrix {
        let groups = (self.n / self.group) as isize;
        let biases = if self.biases.is_empty() { std::ptr::null() } else { self.biases.as_ptr() };
        Matrix {
            codes: self.codes,
            group: self.group,
            n: self.n,
            words: (self.words.as_ptr(), (self.words.len() / self.rows) as isize),
            scales: (self.scales.as_ptr(), groups),
            biases: (biases, groups),
        }
    }

    /// A number of the matrix, and the size of what it is the sum of.
    fn value(&self, row: usize, column: usize) -> (f64, f64) {
        let (bits, of) = (self.codes.bits(), self.row(row));
        let bit = |at: usize| (of.words[at / 32] >> (at % 32) & 1) << (at - column * bits);
        let code = (column * bits..(column + 1) * bits).map(bit).sum();
        let scaled = number(self.codes, code) * f64::from(of.scales[column / self.group]);
        let bias = of.biases.get(column / self.group).map_or(0., |&bias| f64::from(bias));
        (scaled + bias, scaled.abs() + bias.abs())
    }

    /// A product and its bound, of terms `(x, row, column)`.
    fn sum(&self, terms: impl Iterator<Item = (f32, usize, usize)>) -> (f64, f64) {
        let (mut sum, mut size, mut count) = (0., 0., 0.);
        for (x, row, column) in terms {
            let (value, terms) = self.value(row, column);
            sum += f64::from(x) * value;
            size += f64::from(x).abs() * terms;
            count += 1.;
        }
        (sum, (count + 3.) * 2f64.powi(-24) * size)
    }
}

fn cases(noise: &mut Noise) -> Vec<Case> {
    let mut all = Vec::new();
    for (codes, group) in FORMATS {
        for groups in [1, 3, 21] {
            all.push(Case::of(codes, group, group * groups, 5, noise));
        }
    }
    all
}

fn near(found: f32, (want, bound): (f64, f64), case: &Case, isa: Isa) {
    let far = (f64::from(found) - want).abs();
    assert!(far <= bound, "{:?} of {} on {isa:?}: {found}, not {want} within {bound:e}", case.codes, case.n);
}

#[test]
fn products_are_within_their_bound() {
    let mut noise = Noise(1);
    for case in cases(&mut noise) {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            for m in 1..=4 {
                let x: Vec<Vec<f32>> = (0..m).map(|_| noise.floats(case.n)).collect();
                let arranged: Vec<Vec<_>> = x
                    .iter()
                    .map(|x| {
                        let mut out = vec![[9.; LANES]; vectors(case.codes, case.n)];
                        arrange(case.codes, &mut out, x);
                        out
                    })
                    .collect();
                let mut out = vec![[0.; 3]; m];
                let mut to: Vec<&mut [f32]> = out.iter_mut().map(|out| &mut out[..]).collect();
                let arranged: Vec<_> = arranged.iter().map(|x| &x[..]).collect();
                // SAFETY: the matrix has five rows.
                unsafe { dots(isa, &case.matrix(), 1..4, &arranged, &mut to) };
                for (out, x) in out.iter().zip(&x) {
                    for (at, &found) in out.iter().enumerate() {
                        let terms = x.iter().enumerate().map(|(column, &x)| (x, at + 1, column));
                        near(found, case.sum(terms), &case, isa);
                    }
                }
            }
        }
    }
}

#[test]
fn numbers_are_within_a_rounding() {
    for case in cases(&mut Noise(2)) {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let mut out = vec![[0.; LANES]; vectors(case.codes, case.n)];
            unpack(isa, case.codes, case.group, case.row(2), 0, &mut out);
            for (vector, lanes) in out.iter().enumerate() {
                for (lane, &found) in lanes.iter().enumerate() {
                    match position(case.codes, vector, lane) {
                        column if column < case.n => {
                            let (value, size) = case.value(2, column);
                            near(found, (value, 2. * 2f64.powi(-24) * size), &case, isa);
                        }
                        _ => assert_eq!(found, 0.),
                    }
                }
            }
        }
    }
}

#[test]
fn nan_is_nan() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        let words = [0x7f_ff_7e_fe; 8];
        let row = Row { words: &words, scales: &[1.], biases: &[] };
        let mut out = vec![[0.; LANES]; vectors(Codes::E4m3, 32)];
        unpack(isa, Codes::E4m3, 32, row, 0, &mut out);
        let found: Vec<f32> = out.iter().map(|lanes| lanes[0]).collect();
        assert_eq!(found[..2], [-448., 448.]);
        assert!(found[2].is_nan() && found[3].is_nan());
    }
}
