//! The structures of `<EndpointSecurity/ESMessage.h>` and what they are made of, as data: `data/offsets.tsv`, compiled
//! from the macOS 27 headers. No offset comes from the program under test.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::versions::table;

/// A structure or union.
#[derive(Debug, Default)]
pub struct Layout {
    /// `sizeof`
    pub size: usize,
    /// In the order of the headers; the members of a nested union or structure have a dotted name.
    pub members: Vec<Member>,
}

/// A member of a structure.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name in C, which is its key in eslogger's JSON.
    pub name: &'static str,
    /// `offsetof`
    pub offset: usize,
    /// `sizeof`
    pub size: usize,
    /// Its type in C.
    pub ctype: &'static str,
    /// The first message version that has it.
    pub since: u32,
}

impl Layout {
    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

static LAYOUTS: LazyLock<HashMap<&str, Layout>> = LazyLock::new(|| {
    let mut layouts: HashMap<&str, Layout> = HashMap::new();
    for columns in table(include_str!("../../data/offsets.tsv")) {
        let number = |text: &str| text.parse().expect("a number");
        let layout = layouts.entry(columns[0]).or_default();
        if columns[1] == "(whole)" {
            layout.size = number(columns[3]);
            continue;
        }
        layout.members.push(Member {
            name: columns[1],
            offset: number(columns[2]),
            size: number(columns[3]),
            ctype: columns[5],
            since: columns[6].parse().unwrap_or(0),
        });
    }
    layouts
});

/// The layout of a structure, scalars' excluded.
pub fn find(name: &str) -> Option<&'static Layout> {
    LAYOUTS
        .get(name)
        .filter(|layout| !layout.members.is_empty())
}

/// The layout of a structure that the table is known to have.
pub fn of(name: &str) -> &'static Layout {
    find(name).unwrap_or_else(|| panic!("data/offsets.tsv has no {name}"))
}

/// The offset of a member that the table is known to have.
pub fn offset(structure: &str, member: &str) -> usize {
    let found = of(structure).member(member);
    found
        .unwrap_or_else(|| panic!("data/offsets.tsv has no {structure}.{member}"))
        .offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(of("es_message_t").size, 224);
        assert_eq!(offset("es_message_t", "event"), 104);
        assert_eq!(
            of("es_process_t").member("cdhash_full").expect("one").since,
            11
        );
        for (name, layout) in LAYOUTS.iter() {
            for member in &layout.members {
                let end = member.offset + member.size;
                assert!(end <= layout.size, "{name}.{} ends at {end}", member.name);
            }
        }
    }
}
