//! Lets macOS do as much of the filtering as it can: messages that can't pass the filter then don't come at all.
//!
//! ES mutes by the path of the executable and by the paths of the files that an event is about, its *targets*
//! (`<EndpointSecurity/ESClient.h>`, `es_mute_path` and `es_invert_muting`). The rest is filtered again, so the only
//! requirement is that nothing is muted that the filter passes.

use super::client::{Client, Paths, Result, What};
use crate::model::catalogue::{ROWS, Row};
use crate::select::{Need, Place, Tree};

/// The events whose targets in ES are all the files that the filter looks at, or more. Not among them are `exec`, for
/// which ES looks at the executable alone, and `unlink`, whose parent may have another path than a file with several
/// links.
const WITH_TARGETS: [&str; 33] = [
    "access",
    "chdir",
    "chroot",
    "clone",
    "close",
    "copyfile",
    "create",
    "deleteextattr",
    "dup",
    "exchangedata",
    "fcntl",
    "getattrlist",
    "getextattr",
    "link",
    "listextattr",
    "mmap",
    "open",
    "readdir",
    "readlink",
    "rename",
    "searchfs",
    "setacl",
    "setattrlist",
    "setextattr",
    "setflags",
    "setmode",
    "setowner",
    "stat",
    "truncate",
    "uipc_bind",
    "uipc_connect",
    "utimes",
    "write",
];

/// Mutes messages of these events (`es_event_type_t`) that can't pass the filter.
///
/// # Errors
/// A function of ES failed: its name.
pub fn push_down(client: &Client, need: &Need, events: &[u32]) -> Result<()> {
    let is_asked = |row: &&Row| events.contains(&row.number);
    let rows: Vec<&Row> = ROWS.iter().filter(is_asked).collect();
    if !images(client, need, &rows)? && !need.excluded_images.is_empty() {
        // An exec is hidden only if both images match.
        let events = numbers(&rows, |row| row.name != "exec");
        for tree in &need.excluded_images {
            mute_tree(client, What::Executable, tree, &events)?;
        }
    }
    if !targets(client, need, &rows)? && !need.excluded_targets.is_empty() {
        // ES mutes an event if all targets match; the filter excludes it if any of them does.
        let events = numbers(&rows, has_targets);
        for place in &need.excluded_targets {
            if let Place::Tree(tree) = place {
                mute_tree(client, What::Target, tree, &events)?;
            }
        }
    }
    Ok(())
}

/// The numbers of the rows for which `is_meant` returns true.
fn numbers(rows: &[&Row], is_meant: impl Fn(&Row) -> bool) -> Vec<u32> {
    let meant = rows.iter().filter(|row| is_meant(row));
    meant.map(|row| row.number).collect()
}

/// Returns true if ES compares this prefix byte by byte as the filter does: ES distinguishes names that differ only in
/// Unicode normalisation.
fn is_comparable(prefix: &[u8]) -> bool {
    !prefix.is_empty() && prefix.is_ascii()
}

fn has_targets(row: &Row) -> bool {
    WITH_TARGETS.contains(&row.name)
}

/// Asks for events of the needed executables alone. Returns false if that can't be done.
fn images(client: &Client, need: &Need, rows: &[&Row]) -> Result<bool> {
    let prefixes: Vec<_> = need.images.iter().flat_map(Tree::prefixes).collect();
    // Everything is below the root, including processes without a path.
    if prefixes.is_empty() || !prefixes.iter().all(|prefix| is_comparable(prefix)) {
        return Ok(false);
    }
    for prefix in prefixes {
        client.mute_path(What::Executable, &Paths::One(prefix), None)?;
        let below = [prefix, b"/"].concat();
        client.mute_path(What::Executable, &Paths::WithPrefix(&below), None)?;
    }
    // An exec is selected by the image that it goes to as well, and an action of a daemon by the process that it acts
    // for.
    let by_others = numbers(rows, |row| row.name == "exec" || row.has_instigator());
    if !by_others.is_empty() {
        client.mute_path(What::Executable, &Paths::WithPrefix(b"/"), Some(&by_others))?;
    }
    client.invert_muting(What::Executable)?;
    Ok(true)
}

/// Asks for events about the needed files alone. Returns false if that can't be done.
fn targets(client: &Client, need: &Need, rows: &[&Row]) -> Result<bool> {
    let prefixes: Option<Vec<_>> = need.targets.iter().map(Place::prefixes).collect();
    let Some(prefixes) = prefixes.map(|prefixes| prefixes.concat()) else {
        return Ok(false);
    };
    if prefixes.is_empty() || !prefixes.iter().all(|(prefix, _)| is_comparable(prefix)) {
        return Ok(false);
    }
    for (prefix, is_tree) in prefixes {
        if is_tree {
            client.mute_path(What::Target, &Paths::One(prefix), None)?;
            let below = [prefix, b"/"].concat();
            client.mute_path(What::Target, &Paths::WithPrefix(&below), None)?;
        } else {
            client.mute_path(What::Target, &Paths::WithPrefix(prefix), None)?;
        }
    }
    let others = numbers(rows, |row| !has_targets(row));
    if !others.is_empty() {
        client.mute_path(What::Target, &Paths::WithPrefix(b"/"), Some(&others))?;
    }
    client.invert_muting(What::Target)?;
    Ok(true)
}

/// Mutes the paths of a tree for some events.
fn mute_tree(client: &Client, what: What, tree: &Tree, events: &[u32]) -> Result<()> {
    for prefix in tree.prefixes().filter(|prefix| !prefix.is_empty()) {
        client.mute_path(what, &Paths::One(prefix), Some(events))?;
        let below = [prefix, b"/"].concat();
        client.mute_path(what, &Paths::WithPrefix(&below), Some(events))?;
    }
    Ok(())
}
