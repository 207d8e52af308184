//! Messages of EndpointSecurity, kept for as long as they are needed, and their members by the catalogue.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::c::{self, Base, List, ProcessRef, Raw};
use crate::model::catalogue::{Kind, Member};

/// A message that macOS keeps for us until it is dropped.
#[derive(Debug)]
pub struct Message(NonNull<c::es_message_t>);

// SAFETY: a message is never changed, and <EndpointSecurity/ESMessage.h> allows it to be retained, read and
// released on any thread.
unsafe impl Send for Message {}

impl Message {
    /// Retains a message.
    ///
    /// # Safety
    /// It must be one that EndpointSecurity has just given to a client's handler.
    pub unsafe fn retain(message: NonNull<c::es_message_t>) -> Message {
        // SAFETY: the caller promises that it is a message.
        unsafe { c::es_retain_message(message.as_ref()) };
        Message(message)
    }

    /// Returns the message.
    pub fn get(&self) -> &c::es_message_t {
        // SAFETY: it is there until it is released, which happens when `self` is dropped. EndpointSecurity allocates
        // all of it, whatever its version; members that newer versions added on older systems lie behind the type that
        // we use.
        unsafe { self.0.as_ref() }
    }

    /// The event's members, which are those of the event's row.
    pub fn members(&self, members: &'static [Member]) -> Structure<'_> {
        // SAFETY: the message is there for as long as `self`.
        unsafe { self::members(self.0, members) }
    }

    /// The process that did it, which is NULL if it is long gone.
    pub fn process(&self) -> Option<ProcessRef<'_>> {
        // SAFETY: a message keeps its process.
        unsafe { ProcessRef::new(self.get().process.as_ptr()) }
    }

    /// `seq_num` and `global_seq_num`, if messages of its version have them.
    pub fn numbers(&self) -> (Option<u64>, Option<u64>) {
        numbers(self.get())
    }

    /// The thread that did it.
    pub fn thread_id(&self) -> Option<u64> {
        let message = self.get();
        if message.version < 4 {
            return None;
        }
        // SAFETY: a message keeps its thread, which is NULL if there is none.
        unsafe { message.thread.as_ref() }.map(|thread| thread.thread_id)
    }
}

/// The members of a message's event, which are those of the event's row.
///
/// # Safety
/// The message must be there, and stay for `'m`.
pub unsafe fn members<'m>(
    message: NonNull<c::es_message_t>,
    members: &'static [Member],
) -> Structure<'m> {
    let message = message.as_ptr();
    // SAFETY: the caller promises that it is there. The pointer may be followed to all that is allocated for it.
    let (event, version) = unsafe { (&raw const (*message).event, (*message).version) };
    Structure {
        base: event.cast(),
        members,
        version,
        message: PhantomData,
    }
}

/// `seq_num`, since message version 2, and `global_seq_num`, since version 4.
pub fn numbers(message: &c::es_message_t) -> (Option<u64>, Option<u64>) {
    (
        (message.version >= 2).then_some(message.seq_num),
        (message.version >= 4).then_some(message.global_seq_num),
    )
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it was retained once, and is released once.
        unsafe { c::es_release_message(self.0.as_ref()) }
    }
}

/// A structure in a message, as the catalogue describes it.
#[derive(Clone, Copy)]
pub struct Structure<'m> {
    base: Base,
    members: &'static [Member],
    version: u32,
    message: PhantomData<&'m c::es_message_t>,
}

/// A part of a structure.
pub enum Part<'m> {
    /// Not there: NULL.
    Null,
    /// A value.
    Value(Raw<'m>),
    /// A structure.
    Struct(Structure<'m>),
    /// A union: those of its arms that are set.
    Union(Structure<'m>),
    /// A union that is shown under its own name.
    Either(Structure<'m>),
    /// A list of texts or structures.
    List(Elements<'m>),
}

/// A list of elements in a message, which are read on demand.
pub struct Elements<'m> {
    list: List,
    kind: &'static Kind,
    of: Structure<'m>,
}

impl<'m> Elements<'m> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.list.count
    }

    /// The text at an index below the length, if there is one.
    fn text(&self, index: usize) -> Option<&'m [u8]> {
        // SAFETY: the list is of this message, and the index is checked.
        match unsafe { self.list.get(index)? } {
            Raw::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The size of the memory that the texts lie in, if they lie one after the other, as the arguments of an exec do.
    /// Looks at a few of them only.
    pub fn span(&self) -> Option<usize> {
        let last = self.len().checked_sub(1)?;
        let mut end = 0;
        let mut start = None;
        for index in [0, last / 2, last] {
            let text = self.text(index)?;
            let at = text.as_ptr().addr();
            start.get_or_insert(at);
            // The same text may be looked at twice.
            if at + text.len() < end {
                return None;
            }
            end = at + text.len();
        }
        end.checked_sub(start?)
    }

    /// The elements, each a value or a structure.
    pub fn parts(self) -> impl Iterator<Item = Part<'m>> {
        // SAFETY: the list is of this message.
        let elements = unsafe { self.list.iter() };
        elements.map(move |raw| match (raw, self.kind) {
            (Raw::Struct(base), Kind::List(members)) => Part::Struct(Structure {
                base,
                members,
                ..self.of
            }),
            (raw, _) => Part::Value(raw),
        })
    }
}

impl<'m> Structure<'m> {
    /// Its description in the catalogue.
    pub fn members(&self) -> &'static [Member] {
        self.members
    }

    /// The members that messages of this version have; for a union, those that are set.
    pub fn parts(self) -> impl Iterator<Item = (&'static Member, Part<'m>)> {
        self.members
            .iter()
            .filter(move |member| member.since <= self.version)
            .filter_map(move |member| Some((member, self.part(member)?)))
    }

    /// A member; None where messages of this version don't have it, or where it is in an arm of a union that isn't set.
    pub fn member(self, member: &'static Member) -> Option<Part<'m>> {
        (member.since <= self.version)
            .then(|| self.part(member))
            .flatten()
    }

    fn part(self, member: &'static Member) -> Option<Part<'m>> {
        let of = |base, members| Structure {
            base,
            members,
            ..self
        };
        // SAFETY: a member's `get` takes the structure that the member is listed for, because `members!` makes both
        // from one name. The version has been checked, and 'm is the message's.
        let raw = || unsafe { (member.get)(self.base) };
        Some(match member.kind {
            Kind::Union(members) => {
                let union = of(self.base, members);
                union.parts().next()?;
                Part::Union(union)
            }
            Kind::Either(members) => Part::Either(of(self.base, members)),
            Kind::Struct(members) => match raw() {
                Raw::Struct(base) => Part::Struct(of(base, members)),
                Raw::Absent => return None,
                _ => Part::Null,
            },
            _ => match raw() {
                Raw::Absent => return None,
                Raw::Null => Part::Null,
                Raw::List(list) => Part::List(Elements {
                    list,
                    kind: &member.kind,
                    of: self,
                }),
                raw => Part::Value(raw),
            },
        })
    }
}

/// The parts that a process points to.
impl<'m> ProcessRef<'m> {
    /// The identifier in the code signature.
    pub fn signing_id(self) -> Option<&'m [u8]> {
        // SAFETY: the message keeps it.
        unsafe { c::text(&self.get().signing_id) }
    }

    /// The team in the code signature.
    pub fn team_id(self) -> Option<&'m [u8]> {
        // SAFETY: the message keeps it.
        unsafe { c::text(&self.get().team_id) }
    }

    /// The image that it runs. It should not be NULL.
    pub fn image(self) -> Option<&'m c::es_file_t> {
        // SAFETY: the message keeps it.
        unsafe { self.get().executable.as_opt() }
    }

    /// Its controlling terminal. None before message version 2, which isn't the same as NULL.
    pub fn terminal(self, version: u32) -> Option<Option<&'m c::es_file_t>> {
        if version < 2 {
            return None;
        }
        // SAFETY: the message keeps it.
        Some(unsafe { self.get().tty.as_ref() })
    }

    /// `es_cs_validation_category_t`, since message version 10.
    pub fn cs_validation_category(self, version: u32) -> Option<u32> {
        // SAFETY: messages have it from this version on.
        (version >= 10).then(|| unsafe { (*self.long()).cs_validation_category })
    }

    /// The code directory hash, not truncated to 20 bytes. None before message version 11, which isn't the same as
    /// NULL.
    pub fn cdhash_full(self, version: u32) -> Option<Option<&'m [u8]>> {
        if version < 11 {
            return None;
        }
        // SAFETY: messages have it from this version on.
        let token = unsafe { &(*self.long()).cdhash_full };
        if token.data.is_null() {
            return Some(None);
        }
        // SAFETY: a token's data has its size, and the message keeps it.
        Some(Some(unsafe {
            std::slice::from_raw_parts(token.data, token.size)
        }))
    }
}

/// The parts that a file of a message points to. Only messages contain such structures.
pub trait FileParts {
    /// Its path.
    fn path(&self) -> &[u8];
}

impl FileParts for c::es_file_t {
    fn path(&self) -> &[u8] {
        // SAFETY: the message keeps it.
        unsafe { c::text(&self.path) }.unwrap_or_default()
    }
}
