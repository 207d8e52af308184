//! Places in the file system.

use std::path::{Component, Path};

use anyhow::Result;

use crate::model::event::File;

/// A file or a folder and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The paths that it goes by, absolute, without a slash at the end; empty for the root.
    prefixes: Vec<Vec<u8>>,
}

impl Tree {
    /// The tree at `path` on the Mac that a recording was made on: its `/tmp`, `/var` and `/etc` are links
    /// to theirs under `/private`, and ES gives resolved paths. A relative path is one from here.
    ///
    /// # Errors
    /// The path is empty, or the working directory can't be read.
    pub fn recorded(path: &Path) -> Result<Tree> {
        let absolute = std::path::absolute(path)?;
        let mut prefix = Vec::new();
        for component in absolute.components() {
            match component {
                Component::Normal(name) => {
                    prefix.push(b'/');
                    prefix.extend_from_slice(name.as_encoded_bytes());
                }
                Component::ParentDir => {
                    prefix.truncate(memchr::memrchr(b'/', &prefix).unwrap_or(0))
                }
                _ => {}
            }
        }
        let mut prefixes = vec![prefix];
        if ["/tmp", "/var", "/etc"]
            .iter()
            .any(|link| is_under(&prefixes[0], link.as_bytes()))
        {
            prefixes.push([b"/private", &prefixes[0][..]].concat());
        }
        Ok(Tree { prefixes })
    }

    /// The tree at `path` here. ES gives resolved paths, so links in it are followed as far as it exists.
    ///
    /// # Errors
    /// The path is empty, or the working directory can't be read.
    pub fn live(path: &Path) -> Result<Tree> {
        let absolute = std::path::absolute(path)?;
        let mut tree = Tree::recorded(path)?;
        for existing in absolute.ancestors() {
            if let Ok(resolved) = existing.canonicalize() {
                let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
                tree.add(Tree::recorded(&resolved.join(rest))?);
                break;
            }
        }
        Ok(tree)
    }

    fn add(&mut self, other: Tree) {
        for prefix in other.prefixes {
            if !self.prefixes.contains(&prefix) {
                self.prefixes.push(prefix);
            }
        }
    }

    /// Whether `file` is the tree's root or lies below it, by whole components.
    pub fn contains(&self, file: File<'_>) -> bool {
        let path = file.path.bytes();
        self.prefixes.iter().any(|prefix| is_under(&path, prefix))
    }

    /// The paths that it goes by, absolute, without a slash at the end; empty for the root.
    #[cfg(target_os = "macos")]
    pub fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.prefixes.iter().map(Vec::as_slice)
    }

    /// The last names of its paths, if any path in the tree must have one of them literally in JSON, too.
    pub fn needles(&self) -> Option<Vec<&[u8]>> {
        let literal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_. +@".contains(byte);
        let needle = |prefix| -> Option<&[u8]> {
            let start = memchr::memrchr(b'/', prefix).map_or(0, |slash| slash + 1);
            let name: &[u8] = &prefix[start..];
            (!name.is_empty() && name.iter().all(literal)).then_some(name)
        };
        self.prefixes.iter().map(|prefix| needle(prefix)).collect()
    }
}

fn is_under(path: &[u8], prefix: &[u8]) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Text;

    #[test]
    fn a_tree_is_made_of_whole_components() {
        let contains = |tree: &str, path: &'static str| {
            let file = File {
                path: path.into(),
                path_truncated: false,
            };
            Tree::recorded(Path::new(tree))
                .expect("the path is right")
                .contains(file)
        };
        assert!(contains("/Users/test", "/Users/test"));
        assert!(contains("/Users/test", "/Users/test/a"));
        assert!(contains("/Users//./test/", "/Users/test/a"));
        assert!(!contains("/Users/test", "/Users/tester"));
        assert!(!contains("/Users/test", "/Users"));
        assert!(!contains("/Users/test", ""));
        assert!(contains("/", "/bin/ls"));
        assert!(contains("/tmp", "/private/tmp/a") && contains("/tmp", "/tmp"));
        assert!(contains("/var/db", "/private/var/db"));
        assert!(!contains("/tmpfiles", "/private/tmpfiles"));
        assert!(!contains("/private/tmp", "/tmp/a"));
        assert!(contains("/a/../b", "/b/c"));
    }

    #[test]
    fn live_trees_follow_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("it is there");
        std::fs::create_dir(folder.join("real")).expect("a folder is made");
        std::os::unix::fs::symlink("real", folder.join("link")).expect("a link is made");
        let tree = Tree::live(&folder.join("link/not-yet")).expect("the path is right");
        let contains = |name: &str| {
            let path = folder.join(name);
            tree.contains(File {
                path: Text::Bytes(path.as_os_str().as_encoded_bytes()),
                path_truncated: false,
            })
        };
        assert!(contains("real/not-yet/a") && contains("link/not-yet"));
        assert!(!contains("real/other"));
        let needles = tree.needles().expect("the name is plain");
        assert!(needles.iter().all(|needle| *needle == b"not-yet"));
    }
}
