//! Messages within other objects: log shippers and databases write these around the messages that they received, and
//! `log show --style ndjson` around those that `eslogger --oslog` logged.

use bumpalo::Bump;

use super::walk::{Step, Walk};
use crate::model::event::Text;
use crate::text::json::{Result, Scanner, Str};

/// The depth, in names, to which messages are searched for.
const MAX_DEPTH: usize = 3;

/// Calls `message` with each object in `object` that may be a message, as an object or as text in a string, under any
/// name. If it returns true, that object isn't searched any further. Returns true if it did so for any object.
pub fn search<'m>(
    object: &'m [u8],
    arena: &'m Bump,
    message: &mut impl FnMut(&'m [u8]) -> bool,
) -> bool {
    // Without this text there is no message in the object, however it is written.
    let has = |needle| memchr::memmem::find(object, needle).is_some();
    let mut search = Search {
        arena,
        message,
        has_found: false,
    };
    if has(b"event") || has(b"\\u00") {
        // The object is known to be JSON.
        let _ = search.members(object, 1);
    }
    search.has_found
}

struct Search<'m, 's, F> {
    arena: &'m Bump,
    message: &'s mut F,
    has_found: bool,
}

impl<'m, F: FnMut(&'m [u8]) -> bool> Search<'m, '_, F> {
    /// Searches the members of an object at this depth of names.
    fn members(&mut self, object: &'m [u8], depth: usize) -> Result<()> {
        super::work::add(object.len());
        Scanner::new(object, 0).object(|scanner, _| self.value(scanner, depth))
    }

    fn value(&mut self, scanner: &mut Scanner<'m>, depth: usize) -> Result<()> {
        match scanner.peek() {
            b'{' => {
                let object = scanner.value()?;
                self.object(object, depth);
                Ok(())
            }
            b'[' => scanner.array(|scanner| match scanner.peek() {
                // Arrays of arrays are not records.
                b'[' => scanner.skip(),
                _ => self.value(scanner, depth),
            }),
            b'"' => {
                let string = scanner.string()?;
                self.string(string, depth);
                Ok(())
            }
            _ => scanner.skip(),
        }
    }

    fn object(&mut self, object: &'m [u8], depth: usize) {
        if (self.message)(object) {
            self.has_found = true;
        } else if depth < MAX_DEPTH {
            // The object is known to be JSON.
            let _ = self.members(object, depth + 1);
        }
    }

    /// Searches the objects in the text of a string.
    fn string(&mut self, string: Str<'m>, depth: usize) {
        if memchr::memchr(b'{', string.inside).is_none() {
            return;
        }
        let arena = self.arena;
        let text: &'m [u8] = arena.alloc_slice_copy(&Text::from(string).bytes());
        let mut walk = Walk::new(usize::MAX);
        let mut at = 0;
        loop {
            let (taken, step) = walk.take(&text[at..]);
            at += taken;
            match step.or_else(|| walk.end()) {
                Some(Step::Object(object)) => self.object(&text[object], depth),
                Some(_) => {}
                None => return,
            }
        }
    }
}

/// Returns true if an object is the last line of `log show --style ndjson`: `{"count":1,"finished":1}`.
pub fn is_end_of_log(object: &[u8]) -> bool {
    let mut names = 0;
    let read = Scanner::new(object, 0).object(|scanner, key| {
        names += match key.inside {
            b"count" => 1,
            b"finished" => 2,
            _ => 4,
        };
        scanner.integer().map(drop)
    });
    read.is_ok() && names == 3
}
