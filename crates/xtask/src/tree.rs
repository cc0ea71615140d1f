//! The files of the project.

use std::path::{Path, PathBuf};

/// A text file, its path relative to the root.
pub struct File {
    pub path: String,
    pub text: String,
}

/// The top of the project.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}

const SKIP: &[&str] =
    &["target", ".git", "__pycache__", ".venv", ".hypothesis", ".pytest_cache", ".ruff_cache", "dist"];
const KINDS: &[&str] = &["rs", "py", "pyi", "wgsl", "toml", "md", "sh"];

/// Every text file that the project is made of.
pub fn files(root: &Path) -> Vec<File> {
    let (mut found, mut stack) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = stack.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if SKIP.contains(&name.as_str()) || (name.starts_with('.') && name != ".ci" && name != ".cargo") {
                continue;
            }
            if path.is_dir() {
                stack.push(path);
            } else if path.extension().is_some_and(|kind| KINDS.iter().any(|k| kind == *k)) || name == "run" {
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                let relative = path.strip_prefix(root).unwrap_or(&path);
                found.push(File { path: relative.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
