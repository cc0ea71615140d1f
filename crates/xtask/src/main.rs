//! `cargo xtask tidy`: what a program can check of STYLE.md and ARCHITECTURE.md. `cargo xtask ops`: the table of
//! operations in docs, written from the rows.
#![forbid(unsafe_code)]

mod floors;
mod ops;
mod text;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let root = tree::root();
    match task.as_str() {
        "tidy" => {
            let found = tidy(&root);
            found.iter().for_each(|line| println!("{line}"));
            if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        "ops" => match std::fs::write(root.join(ops::PAGE), ops::page()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: cargo xtask tidy | ops");
            ExitCode::FAILURE
        }
    }
}

/// Every offence, one line each.
fn tidy(root: &std::path::Path) -> Vec<String> {
    let files = tree::files(root);
    let mut found = floors::check(root);
    for file in &files {
        found.extend(text::check(file));
    }
    found.extend(ops::check(root));
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let found = super::tidy(&super::tree::root());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn offences_are_found() {
        let bad = |path: &str, text: &str| {
            !super::text::check(&super::tree::File { path: path.into(), text: text.into() }).is_empty()
        };
        let head = "//! Room.\n";
        assert!(!bad("crates/base/src/a.rs", head));
        assert!(bad("crates/base/src/a.rs", "fn f() {}\n"));
        assert!(bad("crates/base/src/a.rs", &format!("{head}fn f() {{ {}!() }}\n", "todo")));
        assert!(bad("crates/base/src/a.rs", &format!("{head}fn f() {{ {} {{}} }}\n", "unsafe")));
        assert!(bad("crates/cpu/src/a.rs", &format!("{head}fn f() {{ {} {{}} }}\n", "unsafe")));
        assert!(bad("crates/base/src/a.rs", &format!("{head}use {}::prelude;\n", "rayon")));
        assert!(bad("crates/base/src/a.rs", &format!("{head}{}", "// x\n".repeat(500))));
        let long = format!("{head}fn f() {{\n{}}}\n", "    x();\n".repeat(70));
        assert!(bad("crates/base/src/a.rs", &long));
        assert!(bad("crates/base/src/a.rs", &format!("{head}// see /{}/x\n", "home")));
        assert!(bad("python/pullback/a.py", "x = 1\n"));
        let python = format!("\"\"\"Room.\"\"\"\n\n\ndef f():\n{}", "    x()\n".repeat(70));
        assert!(bad("python/pullback/a.py", &python));
    }
}
