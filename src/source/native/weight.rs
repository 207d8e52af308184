//! The weight of a message in a queue.

use super::c::Raw;
use super::client::Delivered;
use super::message::{Elements, Part, Structure};
use crate::model::catalogue::{Kind, Member, ROWS, Row};
use crate::model::event::EventType;

/// The memory that a message takes without its texts, in bytes.
const MESSAGE: usize = 1 << 10;

/// The memory that an element of a list takes besides its text, in bytes.
const ELEMENT: usize = 16;

/// The number of elements up to which each element is measured. In a longer list whose texts lie one after the other,
/// only a few are.
const FEW: usize = 16;

/// The number of elements from which a list whose texts are scattered counts as the longest.
const MANY: usize = 4096;

/// The longest list, in bytes: macOS allows a program arguments and an environment of 1 MiB together (`ARG_MAX`).
const LONGEST: usize = 1 << 20;

/// Estimates the memory that messages take.
pub struct Scale {
    /// For each row of the catalogue, the members that hold texts of any length. Paths can't be long.
    with_text: Vec<Vec<&'static Member>>,
}

impl Scale {
    /// Creates the scale for the events of the catalogue.
    pub fn new() -> Scale {
        let with_text = |row: &Row| {
            row.members
                .iter()
                .filter(|member| has_text(member))
                .collect()
        };
        Scale {
            with_text: ROWS.iter().map(with_text).collect(),
        }
    }

    /// Estimates the memory that a message takes, in bytes. The estimate is cheap, because macOS waits for it.
    pub fn weight(&self, event_type: EventType<'_>, delivered: &Delivered) -> usize {
        let EventType::Known(row) = event_type else {
            return MESSAGE;
        };
        let event = delivered.members(row.members);
        let members = self.with_text[row.index()].iter();
        let texts = members.filter_map(|member| event.member(member)).map(size);
        MESSAGE + texts.sum::<usize>()
    }
}

fn has_text(member: &Member) -> bool {
    match member.kind {
        Kind::Text | Kind::Args | Kind::Env | Kind::Strings => true,
        Kind::List(members)
        | Kind::Struct(members)
        | Kind::Union(members)
        | Kind::Either(members) => members.iter().any(has_text),
        _ => false,
    }
}

fn size_of_all(structure: Structure<'_>) -> usize {
    structure.parts().map(|(_, part)| size(part)).sum()
}

fn size(part: Part<'_>) -> usize {
    match part {
        Part::Value(Raw::Text(text) | Raw::Bytes(text)) => text.len(),
        Part::Null | Part::Value(_) => 0,
        Part::Struct(of) | Part::Union(of) | Part::Either(of) => size_of_all(of),
        Part::List(list) => size_of_list(list),
    }
}

fn size_of_list(list: Elements<'_>) -> usize {
    let count = list.len();
    let span = if count > FEW { list.span() } else { None };
    match span.filter(|span| *span <= 2 * LONGEST) {
        Some(span) => span + ELEMENT * count,
        None if count > MANY => LONGEST,
        None => list.parts().map(|part| ELEMENT + size(part)).sum(),
    }
}
