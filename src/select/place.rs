//! Places in the file system: trees and patterns, compared as APFS compares names.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use globset::{ErrorKind, GlobBuilder, GlobMatcher};
use memchr::memmem::Finder;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use crate::exit::reason;
use crate::text::escape;

/// The path, from the root on.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| anyhow!(reason(&error)))
}

/// The way in which names are compared. APFS takes names that differ only in Unicode normalisation to be the same, and
/// by default also those that differ only in case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compare {
    /// Normalised.
    #[default]
    Exact,
    /// Normalised, and without case.
    WithoutCase,
}

/// Links that every Mac has, and the folders that they lead to.
const LINKS: [(&str, &str); 6] = [
    ("/tmp", "/private/tmp"),
    ("/var", "/private/var"),
    ("/etc", "/private/etc"),
    (
        "/Applications/Safari.app",
        "/System/Cryptexes/App/System/Applications/Safari.app",
    ),
    (
        "/System/Cryptexes/App",
        "/System/Volumes/Preboot/Cryptexes/App",
    ),
    (
        "/System/Cryptexes/OS",
        "/System/Volumes/Preboot/Cryptexes/OS",
    ),
];

/// The data volume.
const DATA: &str = "/System/Volumes/Data";

/// The folders of the data volume that appear at the root, too (`/usr/share/firmlinks`): events use either name.
const FIRMLINKS: [&str; 18] = [
    "/AppleInternal",
    "/Applications",
    "/Library",
    "/System/Library/Caches",
    "/System/Library/Assets",
    "/System/Library/PreinstalledAssets",
    "/System/Library/AssetsV2",
    "/System/Library/PreinstalledAssetsV2",
    "/System/Library/CoreServices/CoreTypes.bundle/Contents/Library",
    "/System/Library/Speech",
    "/Users",
    "/Volumes",
    "/cores",
    "/opt",
    "/private",
    "/usr/local",
    "/usr/libexec/cups",
    "/usr/share/snmp",
];

/// A file or a folder and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The paths that it is known by, absolute and normalised, without a slash at the end; empty for the root.
    prefixes: Vec<Vec<u8>>,
    /// The same without case.
    folded: Vec<Vec<u8>>,
}

impl Tree {
    /// The tree at `path` on the Mac that a recording was made on, where ES gave resolved paths: links that every Mac
    /// has are followed. A relative path is relative to the working directory here.
    ///
    /// # Errors
    /// The path is empty, or the working directory can't be read.
    pub fn recorded(path: &Path) -> Result<Tree> {
        let absolute = absolute(path)?;
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
        let names = |compare| other_names(comparable(&prefix, compare).into_owned(), true, compare);
        Ok(Tree {
            prefixes: names(Compare::Exact),
            folded: names(Compare::WithoutCase),
        })
    }

    /// The tree at `path` on this machine. ES gives resolved paths, so links in it are followed as far as it exists.
    ///
    /// # Errors
    /// The path is empty, or the working directory can't be read.
    pub fn live(path: &Path) -> Result<Tree> {
        let absolute = absolute(path)?;
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
        self.prefixes.extend(other.prefixes);
        self.folded.extend(other.folded);
        for names in [&mut self.prefixes, &mut self.folded] {
            names.sort_unstable();
            names.dedup();
        }
    }

    /// Returns true if `path` is the tree's root or lies below it, by whole components.
    pub fn contains(&self, path: &[u8], compare: Compare) -> bool {
        let lies_in = |path: &[u8], prefixes: &[Vec<u8>]| {
            prefixes.iter().any(|prefix| is_under(path, prefix))
        };
        match compare {
            Compare::Exact if lies_in(path, &self.prefixes) => true,
            // Nothing is left to normalise.
            Compare::Exact if path.is_ascii() || self.is_ascii() => false,
            Compare::Exact => lies_in(&comparable(path, compare), &self.prefixes),
            Compare::WithoutCase => lies_in(&comparable(path, compare), &self.folded),
        }
    }

    /// Returns true if none of its paths has another form when it is normalised.
    fn is_ascii(&self) -> bool {
        self.prefixes.iter().all(|prefix| prefix.is_ascii())
    }

    /// The paths that it is known by, absolute and normalised, without a slash at the end; empty for the root.
    pub fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.prefixes.iter().map(Vec::as_slice)
    }

    /// For each of its paths, a part of the last name that stands literally in the JSON of every path in the tree; None
    /// if one of its paths has no such part.
    pub fn needles(&self, compare: Compare) -> Option<Vec<Vec<u8>>> {
        let needle = |prefix: &Vec<u8>| {
            let start = memchr::memrchr(b'/', prefix).map_or(0, |slash| slash + 1);
            literal(std::str::from_utf8(&prefix[start..]).ok()?, compare)
        };
        self.prefixes.iter().map(needle).collect()
    }
}

/// The longest part of a text that every text which compares equal has, too, literally in JSON in which no printable
/// character of ASCII is escaped. The case of ASCII counts only if it does in the comparison. None if there is no such
/// part.
pub fn literal(text: &str, compare: Compare) -> Option<Vec<u8>> {
    // The kelvin sign is another way to write a K, as the Greek question mark and varia are for the other two. In lower
    // case it is a k, and a capital I with a dot is an i with a dot.
    let others = match compare {
        Compare::Exact => "\"\\K;`/",
        Compare::WithoutCase => "\"\\KkIi;`/",
    };
    let is_literal = |c: char| matches!(c, ' '..='~') && !others.contains(c);
    let mut longest = String::new();
    let mut part = String::new();
    for c in text.nfd().chain(['"']) {
        if is_literal(c) {
            part.push(c);
            continue;
        }
        // A combining character changes the one before it.
        if !c.is_ascii() {
            part.pop();
        }
        let part = std::mem::take(&mut part);
        if part.len() > longest.len() {
            longest = part;
        }
    }
    (!longest.is_empty()).then(|| longest.into_bytes())
}

/// Every path by which a path in its comparable form is known on a Mac, itself first. If requested, the targets of
/// links below it are included.
fn other_names(path: Vec<u8>, with_links_below: bool, compare: Compare) -> Vec<Vec<u8>> {
    let form = |path: &str| form(path, compare).into_bytes();
    let data = form(DATA);
    let firmlinks = FIRMLINKS.iter().flat_map(|root| {
        let (root, on_data) = (form(root), form(&format!("{DATA}{root}")));
        [(root.clone(), on_data.clone()), (on_data, root)]
    });
    let links = LINKS.iter().map(|(from, to)| (form(from), form(to)));
    let links: Vec<_> = links.chain(firmlinks).collect();
    let mut names = vec![path];
    let mut at = 0;
    // Everything is below the root anyway.
    while let Some(name) = names.get(at).filter(|name| !name.is_empty()).cloned() {
        at += 1;
        for (from, to) in &links {
            // /System doesn't include the data volume, which is mounted below it.
            let is_above_mount = from.starts_with(&data) && !is_under(&name, &data);
            let other = if let Some(rest) = rest_under(&name, from) {
                [to, rest].concat()
            } else if with_links_below && !is_above_mount && is_under(from, &name) {
                to.clone()
            } else {
                continue;
            };
            let is_known = names.iter().any(|known| is_under(&other, known));
            // A link below its own target would be followed without end.
            if !is_known {
                names.push(other);
            }
        }
    }
    names
}

/// The paths by which a path below `/System/Volumes` can be reached through links that every Mac has.
fn links_to(path: &[u8]) -> Vec<Vec<u8>> {
    let on_data = path.strip_prefix(DATA.as_bytes());
    let is_firm = |rest: &&[u8]| FIRMLINKS.iter().any(|root| is_under(rest, root.as_bytes()));
    let mut links: Vec<_> = on_data
        .filter(is_firm)
        .map(<[u8]>::to_vec)
        .into_iter()
        .collect();
    let mut target = path.to_vec();
    for (from, to) in LINKS.iter().rev() {
        if let Some(rest) = rest_under(&target, to.as_bytes()) {
            target = [from.as_bytes(), rest].concat();
            links.push(target.clone());
        }
    }
    links
}

fn rest_under<'p>(path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    path.strip_prefix(prefix)
        .filter(|rest| matches!(rest.first(), None | Some(b'/')))
}

fn is_under(path: &[u8], prefix: &[u8]) -> bool {
    rest_under(path, prefix).is_some()
}

/// A text in the form in which it is compared.
fn form(text: &str, compare: Compare) -> String {
    String::from_utf8_lossy(&comparable(text.as_bytes(), compare)).into_owned()
}

/// A path in the form in which it is compared.
pub fn comparable(path: &[u8], compare: Compare) -> Cow<'_, [u8]> {
    let mut bytes = Cow::Borrowed(path);
    if !path.is_ascii() {
        let mut normal = Vec::with_capacity(path.len());
        for chunk in path.utf8_chunks() {
            let valid = chunk.valid();
            if is_nfc_quick(valid.chars()) == IsNormalized::Yes {
                normal.extend_from_slice(valid.as_bytes());
            } else {
                normal.extend_from_slice(valid.nfc().collect::<String>().as_bytes());
            }
            normal.extend_from_slice(chunk.invalid());
        }
        bytes = Cow::Owned(normal);
    }
    if compare == Compare::WithoutCase {
        let mut folded = Vec::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            folded.extend_from_slice(chunk.valid().to_lowercase().as_bytes());
            folded.extend_from_slice(chunk.invalid());
        }
        bytes = Cow::Owned(folded);
    }
    bytes
}

/// A pattern by the rules of ripgrep's `-g`: `*`, `?`, `[…]`, `{…,…}`; `*` stays within a component, `**` doesn't.
#[derive(Clone, Debug)]
pub struct Pattern {
    exact: Vec<GlobMatcher>,
    without_case: Vec<GlobMatcher>,
    /// True if it has no slash: then it is compared with the last component alone.
    is_name: bool,
    /// The folders below which all matching paths lie, by all their names; empty if they may lie anywhere.
    heads: Vec<Vec<u8>>,
    /// True if it refers to the data volume by its own path.
    is_on_data: bool,
    /// A part that every matching text has, if it is known; see [`literal`].
    needle: Option<Finder<'static>>,
    /// The same if case doesn't count.
    needle_without_case: Option<Finder<'static>>,
}

impl Pattern {
    /// The pattern of a path. Without a slash, it matches the last component. With one, it matches the whole path, from
    /// the root or, if it doesn't begin with a slash or `**`, from the working directory.
    ///
    /// # Errors
    /// The pattern is invalid: the error says what is wrong and where.
    pub fn of_path(pattern: &str) -> Result<Pattern> {
        if !pattern.contains('/') {
            return Pattern::of_name(pattern);
        }
        let whole = if pattern.starts_with(['/', '*']) {
            pattern.to_owned()
        } else {
            let here = absolute(Path::new("."))?;
            let here = here.to_str().ok_or_else(|| {
                anyhow!("the working directory isn't UTF-8: begin the pattern with / or **/")
            })?;
            format!("{}/{pattern}", globset::escape(here.trim_end_matches('/')))
        };
        // An error must show the pattern as it was typed.
        glob(pattern, pattern)?;
        // The part before the first component with a wildcard is tried with the other names of its folder, too.
        let globs = |compare| -> Result<Vec<_>> {
            let whole = form(&whole, compare);
            let (head, rest) = split_at_wildcard(&whole);
            let heads = other_names(head.as_bytes().to_vec(), false, compare);
            let heads = heads
                .iter()
                .filter_map(|head| std::str::from_utf8(head).ok());
            heads
                .map(|head| glob(&format!("{}{rest}", globset::escape(head)), pattern))
                .collect()
        };
        let (head, rest) = split_at_wildcard(&whole);
        let mut heads = other_names(head.as_bytes().to_vec(), true, Compare::Exact);
        for head in &mut heads {
            head.push(b'/');
        }
        if head.is_empty() {
            heads.clear();
        }
        Ok(Pattern {
            exact: globs(Compare::Exact)?,
            without_case: globs(Compare::WithoutCase)?,
            is_name: false,
            heads,
            is_on_data: is_under(whole.as_bytes(), DATA.as_bytes()),
            needle: needle(rest, Compare::Exact),
            needle_without_case: needle(rest, Compare::WithoutCase),
        })
    }

    /// The pattern of a name, in which a slash has no special meaning.
    ///
    /// # Errors
    /// The pattern is invalid: the error says what is wrong and where.
    pub fn of_name(pattern: &str) -> Result<Pattern> {
        let glob = |compare| Ok::<_, anyhow::Error>(vec![glob(&form(pattern, compare), pattern)?]);
        Ok(Pattern {
            exact: glob(Compare::Exact)?,
            without_case: glob(Compare::WithoutCase)?,
            is_name: true,
            heads: Vec::new(),
            is_on_data: false,
            needle: needle(pattern, Compare::Exact),
            needle_without_case: needle(pattern, Compare::WithoutCase),
        })
    }

    /// The beginnings of all paths that match; None if they can begin with anything.
    fn heads(&self) -> Option<Vec<(&[u8], bool)>> {
        let heads = self.heads.iter().map(|head| (head.as_slice(), false));
        (!self.heads.is_empty()).then(|| heads.collect())
    }

    /// The text that stands literally in the JSON of every matching text; None if no such text is known.
    pub fn needles(&self, compare: Compare) -> Option<Vec<Vec<u8>>> {
        let needle = match compare {
            Compare::Exact => self.needle.as_ref()?,
            Compare::WithoutCase => self.needle_without_case.as_ref()?,
        };
        Some(vec![needle.needle().to_vec()])
    }

    /// Returns true if the path matches.
    pub fn matches_path(&self, path: &[u8], compare: Compare) -> bool {
        // Searching all paths for a part is far cheaper than matching the pattern. The part is behind the first
        // wildcard, where links make no difference.
        if compare == Compare::Exact
            && let Some(needle) = &self.needle
            && needle.find(path).is_none()
        {
            return false;
        }
        if self.is_name {
            let start = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
            return self.matches(&path[start..], compare);
        }
        let is_link = |path: &Vec<u8>| self.matches(path, compare);
        self.matches(path, compare)
            || path.starts_with(b"/System/Volumes/") && links_to(path).iter().any(is_link)
            || self.is_on_data && is_link(&[DATA.as_bytes(), path].concat())
    }

    /// Returns true if the whole text matches.
    pub fn matches(&self, text: &[u8], compare: Compare) -> bool {
        use std::os::unix::ffi::OsStrExt as _;
        let text = comparable(text, compare);
        let path = Path::new(std::ffi::OsStr::from_bytes(&text));
        let globs = match compare {
            Compare::Exact => &self.exact,
            Compare::WithoutCase => &self.without_case,
        };
        globs.iter().any(|glob| glob.is_match(path))
    }
}

/// Finds the longest literal part of a pattern, outside of `[…]` and `{…}` and without a slash.
fn needle(pattern: &str, compare: Compare) -> Option<Finder<'static>> {
    let mut parts = vec![String::new()];
    let (mut depth, mut is_class, mut is_escaped) = (0_usize, false, false);
    for c in pattern.chars() {
        let is_plain = match c {
            _ if is_escaped => {
                is_escaped = false;
                false
            }
            '\\' => {
                is_escaped = true;
                false
            }
            ']' if is_class => {
                is_class = false;
                false
            }
            _ if is_class => false,
            '[' => {
                is_class = true;
                false
            }
            '{' => {
                depth += 1;
                false
            }
            '}' => {
                depth = depth.saturating_sub(1);
                false
            }
            '*' | '?' | '/' => false,
            _ => depth == 0,
        };
        match parts.last_mut() {
            Some(part) if is_plain => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    let longest = parts
        .iter()
        .filter_map(|part| literal(part, compare))
        .max_by_key(Vec::len);
    longest.map(|longest| Finder::new(&longest).into_owned())
}

/// The folder before the first component of a pattern that has a wildcard, and the rest.
fn split_at_wildcard(pattern: &str) -> (&str, &str) {
    let wildcard = pattern.find(is_meta).unwrap_or(pattern.len());
    pattern.split_at(pattern[..wildcard].rfind('/').unwrap_or(0))
}

fn is_meta(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | '{' | '\\')
}

fn glob(pattern: &str, typed: &str) -> Result<GlobMatcher> {
    let built = GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build();
    let error = match built {
        Ok(glob) => return Ok(glob.compile_matcher()),
        Err(error) => error,
    };
    let place = match error.kind() {
        ErrorKind::UnclosedClass | ErrorKind::InvalidRange(..) => typed.rfind('['),
        ErrorKind::UnclosedAlternates | ErrorKind::NestedAlternates => typed.rfind('{'),
        ErrorKind::UnopenedAlternates => typed.find('}'),
        ErrorKind::DanglingEscape => typed.rfind('\\'),
        _ => None,
    };
    let column = |at: usize| format!(" (column {})", typed[..at].chars().count() + 1);
    // The reason repeats what was typed.
    let reason = escape::name(error.kind().to_string());
    bail!("{reason}{}", place.map_or_else(String::new, column));
}

/// A file, a folder and all below it, or a pattern.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file or a folder and all below it.
    Tree(Tree),
    /// A pattern.
    Pattern(Box<Pattern>),
}

impl Place {
    /// The place that was typed: a pattern if it contains one of `*?[{`, otherwise the tree at the path, made by
    /// `tree`.
    ///
    /// # Errors
    /// The pattern or the path is invalid.
    pub fn parse(typed: &Path, tree: fn(&Path) -> Result<Tree>) -> Result<Place> {
        let bytes = typed.as_os_str().as_encoded_bytes();
        if !bytes.iter().any(|byte| b"*?[{".contains(byte)) {
            return tree(typed).map(Place::Tree);
        }
        let Some(text) = typed.to_str() else {
            bail!("a pattern must be UTF-8: {}", escape::name(typed));
        };
        Pattern::of_path(text).map(Box::new).map(Place::Pattern)
    }

    /// Prefixes of all paths that lie there, each with true if it is that of a whole tree; None if nothing is known
    /// about how such a path begins.
    pub fn prefixes(&self) -> Option<Vec<(&[u8], bool)>> {
        match self {
            Place::Tree(tree) => Some(tree.prefixes().map(|prefix| (prefix, true)).collect()),
            Place::Pattern(pattern) => pattern.heads(),
        }
    }

    /// Texts one of which stands literally in the JSON of every path that lies there; None if they aren't known.
    pub fn needles(&self, compare: Compare) -> Option<Vec<Vec<u8>>> {
        match self {
            Place::Tree(tree) => tree.needles(compare),
            Place::Pattern(pattern) => pattern.needles(compare),
        }
    }

    /// Returns true if the path lies there.
    pub fn contains(&self, path: &[u8], compare: Compare) -> bool {
        match self {
            Place::Tree(tree) => tree.contains(path, compare),
            Place::Pattern(pattern) => pattern.matches_path(path, compare),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(tree: &str, path: &str) -> bool {
        let tree = Tree::recorded(Path::new(tree)).expect("the path is right");
        let place = Place::Tree(tree);
        for compare in [Compare::Exact, Compare::WithoutCase] {
            has_needle(&place, path, compare);
        }
        place.contains(path.as_bytes(), Compare::Exact)
    }

    /// Checks that a path in a place contains a needle of the place, in any normalisation.
    fn has_needle(place: &Place, path: &str, compare: Compare) {
        let Some(needles) = place.needles(compare).filter(|needles| !needles.is_empty()) else {
            return;
        };
        for form in [path.to_owned(), path.nfc().collect(), path.nfd().collect()] {
            let (path, needles) = match compare {
                Compare::Exact => (form.clone(), needles.clone()),
                Compare::WithoutCase => {
                    let lower = |text: &Vec<u8>| text.to_ascii_lowercase();
                    (
                        form.to_ascii_lowercase(),
                        needles.iter().map(lower).collect(),
                    )
                }
            };
            let has = |needle: &Vec<u8>| Finder::new(needle).find(path.as_bytes()).is_some();
            let is_there = place.contains(form.as_bytes(), compare);
            assert!(!is_there || needles.iter().any(has), "{place:?} {form}");
        }
    }

    #[test]
    fn a_tree_is_made_of_whole_components() {
        assert!(contains("/Users/test", "/Users/test"));
        assert!(contains("/Users/test", "/Users/test/a"));
        assert!(contains("/Users//./test/", "/Users/test/a"));
        assert!(!contains("/Users/test", "/Users/tester"));
        assert!(!contains("/Users/test", "/Users"));
        assert!(!contains("/Users/test", ""));
        assert!(contains("/", "/bin/ls"));
        assert!(contains("/a/../b", "/b/c"));
    }

    #[test]
    fn links_that_every_mac_has_are_followed() {
        assert!(contains("/tmp", "/private/tmp/a") && contains("/tmp", "/tmp"));
        assert!(contains("/var/db", "/private/var/db"));
        assert!(contains("/tmp", "/System/Volumes/Data/private/tmp/a"));
        assert!(!contains("/tmpfiles", "/private/tmpfiles"));
        assert!(!contains("/private/tmp", "/tmp/a"));
        for (tree, path) in [
            (
                "/Users/test/bin",
                "/System/Volumes/Data/Users/test/bin/tool",
            ),
            (
                "/System/Volumes/Data/Users/test/bin",
                "/Users/test/bin/tool",
            ),
            ("/System/Volumes/Data", "/usr/local/bin/tool"),
            ("/usr/local", "/System/Volumes/Data/usr/local/bin/tool"),
            ("/opt/homebrew", "/System/Volumes/Data/opt/homebrew/bin/jq"),
        ] {
            assert!(contains(tree, path), "{tree} {path}");
        }
        assert!(!contains("/System/Volumes/Data", "/usr/bin/make"));
        assert!(!contains("/usr", "/System/Volumes/Data/Users/a"));
        let safari = "/System/Volumes/Preboot/Cryptexes/App/System/Applications/Safari.app/Contents/MacOS/Safari";
        for tree in [
            "/Applications/Safari.app",
            "/Applications",
            "/System/Cryptexes",
            "/System/Cryptexes/App/System/Applications/Safari.app",
            "/System/Volumes/Preboot",
        ] {
            assert!(contains(tree, safari), "{tree}");
        }
        assert!(!contains("/Applications/Mail.app", safari));
        // The data volume is mounted below /System, but /System doesn't include it.
        assert!(!contains("/System", "/Users/a") && contains("/System", safari));
        assert!(!contains("/applications", safari));
        let tree = Tree::recorded(Path::new("/applications")).expect("a tree");
        assert!(tree.contains(safari.as_bytes(), Compare::WithoutCase));
        assert!(contains(
            "/System/Cryptexes/OS/usr/lib",
            "/System/Volumes/Preboot/Cryptexes/OS/usr/lib/dyld"
        ));
    }

    #[test]
    fn names_are_compared_as_apfs_does() {
        let (composed, decomposed) = ("/Users/test/Caf\u{e9}.app", "/Users/test/Cafe\u{301}.app/x");
        assert!(
            contains(composed, decomposed) && contains("/Users/test/Cafe\u{301}.app", composed)
        );
        assert!(!contains("/Users/test/Cafe", decomposed) && !contains("/users/TEST", composed));
        let tree = Tree::recorded(Path::new("/users/TEST/CAF\u{c9}.app")).expect("a tree");
        assert!(tree.contains(decomposed.as_bytes(), Compare::WithoutCase));
        assert!(!tree.contains(decomposed.as_bytes(), Compare::Exact));
        let pattern = Pattern::of_path("/users/*/CAF\u{c9}*.app/**").expect("a pattern");
        assert!(pattern.matches_path(decomposed.as_bytes(), Compare::WithoutCase));
        assert!(!pattern.matches_path(decomposed.as_bytes(), Compare::Exact));
        // Bytes that aren't UTF-8 are compared as they are.
        let bytes = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/A\xff");
        let tree = Tree::recorded(Path::new(bytes)).expect("a tree");
        assert!(tree.contains(b"/a\xff/b", Compare::WithoutCase));
        assert!(tree.contains(b"/A\xff/b", Compare::Exact));
    }

    #[test]
    fn patterns_follow_the_rules_of_ripgrep() {
        let matches = |pattern: &str, path: &str| {
            let place = Place::parse(Path::new(pattern), Tree::recorded).expect("it is right");
            for compare in [Compare::Exact, Compare::WithoutCase] {
                has_needle(&place, path, compare);
            }
            place.contains(path.as_bytes(), Compare::Exact)
        };
        let agent = "/Users/test/Library/LaunchAgents/com.example.plist";
        for pattern in [
            "*.plist",
            "com.*",
            "com.example.{plist,xml}",
            "/Users/*/Library/LaunchAgents/**",
            "/Users/*/Library/LaunchAgents/*.plis[t]",
            "**/LaunchAgents/*",
            "/**/*.plist",
            "com.exampl?.plist",
        ] {
            assert!(matches(pattern, agent), "{pattern}");
        }
        for pattern in [
            "/Users/*/LaunchAgents/**",
            "LaunchAgent?",
            "*.plist/x",
            "/Users/*",
            "/users/**/*.plist",
        ] {
            assert!(!matches(pattern, agent), "{pattern}");
        }
        assert!(matches("/tmp/*.txt", "/private/tmp/a.txt"));
        assert!(matches("/Users/te*/a", "/System/Volumes/Data/Users/test/a"));
        assert!(matches("/System/Volumes/Data/U*/a", "/Users/a"));
        assert!(!matches("/System/**", "/Users/a"));
        let safari =
            "/System/Volumes/Preboot/Cryptexes/App/System/Applications/Safari.app/Contents/x";
        assert!(matches("/Applications/*/Contents/**", safari));
        assert!(!matches("/Applications/*/x", safari));
        assert!(matches("/a/[b]", "/a/b") && !matches("/a/[b]", "/a/b/c"));
        assert!(matches("*\\*", "/x/a*") && !matches("*\\*", "/x/ab"));
        assert!(
            matches("/a/Cafe\u{301}*/x", "/a/Caf\u{e9}s/x") && !matches("Cafe*", "Cafe\u{301}")
        );
        assert!(matches("\u{212a}*K", "K1\u{212a}"));
        let wrong = |pattern: &str| {
            let place = Place::parse(Path::new(pattern), Tree::recorded);
            format!("{:#}", place.expect_err("it is wrong"))
        };
        assert_eq!(
            wrong("/é/[ab"),
            "unclosed character class; missing ']' (column 4)"
        );
        assert!(wrong("{a,b").ends_with("(column 1)"), "{}", wrong("{a,b"));
        assert!(wrong("a*}").ends_with("(column 3)"), "{}", wrong("a*}"));
    }

    #[test]
    fn what_stands_literally_is_known() {
        let of = |text: &str| {
            literal(text, Compare::Exact).map(|part| String::from_utf8(part).expect("ASCII"))
        };
        for (text, part) in [
            ("zsh", Some("zsh")),
            ("Caf\u{e9} Notes.app", Some(" Notes.app")),
            ("Caf\u{e9}", Some("Caf")),
            ("e\u{301}", None),
            ("a\"bc\\d", Some("bc")),
            ("MaKe", Some("Ma")),
            ("", None),
        ] {
            assert_eq!(of(text).as_deref(), part, "{text}");
        }
        let of = |pattern: &str| {
            let pattern = Pattern::of_name(pattern).expect("it is right");
            let needles = pattern.needles(Compare::Exact)?;
            String::from_utf8(needles.concat()).ok()
        };
        for (pattern, part) in [
            ("*.plist", Some(".plist")),
            ("a{bcd,efg}h*ijk", Some("ijk")),
            ("a[bcd]e?fgh", Some("fgh")),
            ("ab\\*cde", Some("cde")),
            ("*", None),
            ("{a,b}", None),
        ] {
            assert_eq!(of(pattern).as_deref(), part, "{pattern}");
        }
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
            tree.contains(path.as_os_str().as_encoded_bytes(), Compare::Exact)
        };
        assert!(contains("real/not-yet/a") && contains("link/not-yet"));
        assert!(!contains("real/other"));
        let needles = tree.needles(Compare::Exact).expect("the name is plain");
        assert!(needles.iter().all(|needle| needle == b"not-yet"));
    }
}
