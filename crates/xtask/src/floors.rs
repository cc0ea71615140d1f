//! Which crate may use which: only lower floors.

use std::path::Path;

/// Crates by floor, as ARCHITECTURE.md has them.
const FLOORS: &[(&str, u32)] = &[
    ("base", 0),
    ("kernels", 1),
    ("linalg", 1),
    ("core", 2),
    ("transform", 3),
    ("compile", 3),
    ("cpu", 4),
    ("gpu", 4),
    ("engine", 5),
    ("py", 6),
    ("laws", 7),
    ("xtask", 7),
];

/// Edges that go up or sideways.
pub fn check(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (name, floor) in FLOORS {
        let path = root.join("crates").join(name).join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&path) else {
            found.push(format!("crates/{name}: there is no manifest"));
            continue;
        };
        let mut section = String::new();
        for line in text.lines() {
            if line.starts_with('[') {
                section = line.to_string();
            }
            if !section.starts_with("[dependencies") {
                continue;
            }
            for (other, above) in FLOORS {
                let key =
                    if *other == "engine" { "pullback".to_string() } else { format!("pullback-{other}") };
                let named = line.split(['.', ' ', '=']).next() == Some(&key);
                if named && above >= floor {
                    found.push(format!("crates/{name}: may not use {key}, which is not on a lower floor"));
                }
            }
        }
    }
    found
}
