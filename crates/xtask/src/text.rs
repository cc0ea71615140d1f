//! What can be seen in the text of one file.

use crate::tree::File;

const LINES_MAX: usize = 500;
const FUNCTION_MAX: usize = 70;
/// Written by a program.
const GENERATED: &[&str] = &["python/pullback/_core.pyi", "docs/ops.md"];
/// Crates that may contain code whose safety the compiler cannot check.
const TRUSTED: &[&str] = &["kernels", "cpu", "gpu", "py"];

/// Words, and the only places where they may stand.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("pyo3", &["crates/py/"], "only the Python door knows PyO3"),
    ("wgpu::", &["crates/gpu/"], "only the GPU's room knows wgpu"),
    ("rayon", &["crates/cpu/", "benches/"], "only the CPU's room knows threads of work"),
    ("thread::spawn", &["crates/cpu/", "crates/gpu/"], "threads belong to devices"),
    ("Node::new(", &["crates/core/"], "only core makes nodes"),
    ("Node::custom_call(", &["crates/core/"], "only core makes nodes"),
];

/// Offences of one file.
pub fn check(file: &File) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |line: usize, what: &str| found.push(format!("{}:{}: {what}", file.path, line + 1));
    let (rust, python) = (file.path.ends_with(".rs"), file.path.ends_with(".py"));
    let lines: Vec<&str> = file.text.lines().collect();
    let code = rust || python || file.path.ends_with(".wgsl");
    if code && lines.len() > LINES_MAX && !GENERATED.contains(&file.path.as_str()) {
        say(lines.len() - 1, &format!("{} lines, {LINES_MAX} is the most: split it by subject", lines.len()));
    }
    if rust && !file.text.starts_with("//!") {
        say(0, "the file does not say what is in this room (`//!`)");
    }
    if python && !file.text.trim_start().starts_with('"') && !file.text.trim().is_empty() {
        say(0, "the module has no docstring");
    }
    let own = file.path.starts_with("crates/xtask/");
    for (at, line) in lines.iter().enumerate() {
        if !own {
            paths(line, &mut |what| say(at, what));
        }
        if rust && !own {
            words(file, &lines, at, &mut |what| say(at, what));
        }
        if let Some(length) = function(&lines, at, rust, python)
            && length > FUNCTION_MAX
        {
            say(at, &format!("a function of {length} lines, {FUNCTION_MAX} is the most"));
        }
    }
    found
}

/// Paths of somebody's machine.
fn paths(line: &str, say: &mut dyn FnMut(&str)) {
    for place in ["/home/", "/root/", "/work/", "/Users/"] {
        if line.contains(place) {
            say("a path of somebody's machine");
        }
    }
}

fn words(file: &File, lines: &[&str], at: usize, say: &mut dyn FnMut(&str)) {
    let line = lines[at];
    let comment = line.trim_start().starts_with("//");
    for banned in ["todo!", "unimplemented!", "dbg!"] {
        if line.contains(banned) {
            say(banned);
        }
    }
    if comment && line.contains("TODO") {
        say("a note to oneself: file an issue, or a sentence that users can see");
    }
    if comment {
        return;
    }
    for (word, places, why) in WORDS {
        // What a test does to try the rooms is its own affair.
        let inside = file.path.contains("/src/");
        if inside && line.contains(word) && !places.iter().any(|place| file.path.starts_with(place)) {
            say(why);
        }
    }
    for kind in ["Manager", "Helper", "Util", "Handler"] {
        if line.contains(&format!("struct {kind}"))
            || (line.contains("struct ") && line.contains(&format!("{kind} ")))
        {
            say("a name that says nothing");
        }
    }
    let code = line.split("//").next().unwrap_or(line);
    let unsafety =
        ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|word| code.contains(word));
    if unsafety {
        let name = file.path.split('/').nth(1).unwrap_or_default();
        let trusted = file.path.starts_with("crates/") && TRUSTED.contains(&name);
        // Written above, perhaps before attributes, or at the end of the line.
        let near = at.saturating_sub(8)..=at;
        let said = lines[near].iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
        match (trusted, said) {
            (false, _) => say("unsafe outside kernels, cpu, gpu and py"),
            (true, false) => say("unsafe without SAFETY:"),
            _ => {}
        }
    }
}

/// Lines of the function that starts at `at`, if one does; formatted code ends it at its own indentation.
fn function(lines: &[&str], at: usize, rust: bool, python: bool) -> Option<usize> {
    let line = lines[at];
    let body = line.trim_start();
    let indent = line.len() - body.len();
    let depth = |line: &str| line.len() - line.trim_start().len();
    if rust {
        let head = body.split('(').next().unwrap_or_default();
        let named = head.split("fn ").nth(1).is_some_and(|name| !name.is_empty());
        let starts = named && !body.starts_with("//") && !head.contains('"') && !head.contains('|');
        let ends_at = |line: &&str| line.trim_start().starts_with('}') && depth(line) == indent;
        // A signature alone, or a body on one line.
        if !starts || body.ends_with(';') || body.ends_with('}') {
            return None;
        }
        return lines[at + 1..].iter().position(ends_at).map(|end| end + 2);
    }
    if python && (body.starts_with("def ") || body.starts_with("async def ")) {
        let outside = |line: &&str| {
            !line.trim().is_empty() && depth(line) <= indent && !line.trim_start().starts_with(')')
        };
        let end = lines[at + 1..].iter().position(outside).unwrap_or(lines.len() - at - 1);
        let blank =
            lines[at + 1..at + 1 + end].iter().rev().take_while(|line| line.trim().is_empty()).count();
        return Some(end + 1 - blank);
    }
    None
}
