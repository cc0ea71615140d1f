//! What stands between brackets, against NumPy: `data/subscripts.py` wrote the cases.

use pullback::fun::subscript::{How, Index, get, update};
use pullback::{Array, Aval, Dtype, from_f64, to_f64};

fn numbers<T: std::str::FromStr>(text: &str) -> Vec<T> {
    text.split(',').filter_map(|n| n.parse().ok()).collect()
}

/// `shape=elements`
fn array(text: &str) -> Array {
    let (shape, elements) = text.split_once('=').expect("a shape and elements");
    from_f64(&numbers(elements), Aval::new(numbers::<usize>(shape), Dtype::I32))
        .expect("as many as the shape says")
}

fn index(token: &str) -> Index {
    let (kind, rest) = token.split_at(1);
    match kind {
        "n" => Index::NewAxis,
        "e" => Index::Ellipsis,
        "i" => Index::At(rest.parse().expect("a position")),
        "a" => Index::Array(array(rest)),
        "s" => {
            let ends: Vec<Option<isize>> = rest.split(':').map(|end| end.parse().ok()).collect();
            Index::Slice { start: ends[0], stop: ends[1], step: ends[2].unwrap_or(1) }
        }
        other => panic!("no token {other}"),
    }
}

#[test]
fn brackets_are_those_of_numpy() {
    let mut asked = 0;
    for line in include_str!("data/subscripts.txt").lines() {
        let [how, shape, tokens, value, want] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("five columns in {line}")
        };
        let aval = Aval::new(numbers::<usize>(shape), Dtype::I32);
        let count: Vec<f64> = (0..aval.size()).map(|i| i as f64).collect();
        let x = from_f64(&count, aval).expect("fits");
        let list: Vec<Index> = tokens.split_whitespace().map(index).collect();
        let how = match how {
            "set" => Some(How::Set),
            "add" => Some(How::Add),
            "multiply" => Some(How::Multiply),
            "maximum" => Some(How::Maximum),
            "minimum" => Some(How::Minimum),
            _ => None,
        };
        let found = match how {
            Some(how) => update(&x, &list, how, &array(value)),
            None => get(&x, &list),
        };
        let (found, want) = (found.unwrap_or_else(|error| panic!("{line}: {error}")), array(want));
        assert_eq!(found.aval(), want.aval(), "{line}");
        assert_eq!(to_f64(&found).expect("evaluates"), to_f64(&want).expect("evaluates"), "{line}");
        asked += 1;
    }
    println!("{asked} subscripts");
}

#[test]
fn wrong_subscripts_are_errors() {
    let x = pullback::fun::zeros(&[2, 3].into(), Dtype::F32).expect("fits");
    let mask = pullback::fun::full_like_bool(&x, true);
    let cases = [
        (vec![Index::At(2)], "axis 0 of size 2, got 2"),
        (vec![Index::At(0), Index::At(-4)], "axis 1 of size 3, got -4"),
        (vec![Index::At(0), Index::At(0), Index::At(0)], "at most 2 indices"),
        (vec![Index::Ellipsis, Index::Ellipsis], "at most one ellipsis"),
        (vec![Index::Slice { start: None, stop: None, step: 0 }], "step is not 0"),
        (vec![Index::Array(mask)], "got a mask"),
        (vec![Index::Array(x.clone())], "integer positions"),
    ];
    for (list, words) in cases {
        let error = get(&x, &list).expect_err(words);
        assert!(error.text().contains(words), "{error}");
    }
    let wide = pullback::fun::zeros(&[4].into(), Dtype::F32).expect("fits");
    assert!(update(&x, &[Index::At(0)], How::Set, &wide).is_err());
}

#[test]
fn masks_choose_where_to_write() {
    let x = pullback::array(&[1., -2., 3., -4.], &[4]).expect("fits");
    let mask = pullback::fun::less(&x, &x.weak(0.)).expect("fits");
    let y = update(&x, &[Index::Array(mask)], How::Set, &x.weak(0.)).expect("fits");
    assert_eq!(to_f64(&y).expect("evaluates"), [1., 0., 3., 0.]);
}
