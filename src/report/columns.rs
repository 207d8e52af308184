//! Columns of a report: numbers aligned to the right, in columns wide enough for them, and a name at the end, which may
//! be cut.

use super::figures::cells;

/// A column.
#[derive(Debug)]
pub struct Column {
    /// The text above it.
    pub head: &'static str,
    /// Its minimum width, in cells.
    pub width: usize,
    /// True if its texts are aligned to the left.
    pub is_left: bool,
}

impl Column {
    /// A column aligned to the right, with a space before it.
    pub const fn right(head: &'static str, width: usize) -> Column {
        Column {
            head,
            width,
            is_left: false,
        }
    }

    /// A column aligned to the left, with two spaces before it.
    pub const fn left(head: &'static str, width: usize) -> Column {
        Column {
            head,
            width,
            is_left: true,
        }
    }

    fn gap(&self) -> usize {
        if self.is_left { 2 } else { 1 }
    }
}

/// Columns with their widths, and a last one without a width.
pub struct Columns {
    columns: Vec<Column>,
    name: &'static str,
}

impl Columns {
    /// Creates columns from these and the name column with this head.
    pub fn new(columns: Vec<Column>, name: &'static str) -> Columns {
        Columns { columns, name }
    }

    /// Makes the columns wide enough for these cells.
    pub fn fit(&mut self, texts: &[String]) {
        for (column, text) in self.columns.iter_mut().zip(texts) {
            column.width = column.width.max(cells(text));
        }
    }

    /// The cell at which the name begins.
    pub fn indent(&self) -> usize {
        let width = |column: &Column| column.gap() + column.width;
        self.columns.iter().map(width).sum::<usize>() + 2
    }

    /// Appends the line above the rows.
    pub fn push_head(&self, out: &mut Vec<u8>) {
        let heads: Vec<_> = self.columns.iter().map(|column| column.head).collect();
        self.push(out, &heads, |_, head, out| {
            out.extend_from_slice(head.as_bytes());
        });
        out.extend_from_slice(self.name.as_bytes());
        out.push(b'\n');
    }

    /// Appends the texts of a row, each with `paint`, up to the name.
    pub fn push<T: AsRef<str>>(
        &self,
        out: &mut Vec<u8>,
        texts: &[T],
        mut paint: impl FnMut(usize, &str, &mut Vec<u8>),
    ) {
        for (at, (column, text)) in self.columns.iter().zip(texts).enumerate() {
            let text = text.as_ref();
            let free = column.width.saturating_sub(cells(text));
            let before = column.gap() + if column.is_left { 0 } else { free };
            push_spaces(out, before);
            paint(at, text, out);
            if column.is_left {
                push_spaces(out, free);
            }
        }
        push_spaces(out, 2);
    }
}

fn push_spaces(out: &mut Vec<u8>, count: usize) {
    out.resize(out.len() + count, b' ');
}
