//! Timelines as Perfetto's protobuf, the native format of ui.perfetto.dev.
//!
//! Repeated texts are written once and referred to by number from then on ("interned"). The numbers are valid only
//! within one sequence of packets. Each worker writes a sequence of its own, so that workers need nothing from each
//! other: a worker writes the contents of an event ([`Events`]), and the ordered side ([`Perfetto`]) adds where it is
//! drawn. Pieces are written in order, and so is each sequence.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use prost::Message;

use super::super::{Format, Values, push_event_type};
use super::proto::{
    AnnotationValue, BUILTIN_CLOCK_BOOTTIME, BUILTIN_CLOCK_REALTIME, CHRONOLOGICAL, Clock,
    ClockSnapshot, CounterDescriptor, DebugAnnotation, EncodedPacket, InternedData, InternedString,
    SEQ_INCREMENTAL_STATE_CLEARED, SEQ_NEEDS_INCREMENTAL_STATE, SIBLING_MERGE_BEHAVIOR_NONE,
    TYPE_COUNTER, TYPE_INSTANT, TYPE_SLICE_BEGIN, TYPE_SLICE_END, TracePacket, TrackDescriptor,
    TrackEvent,
};
use super::sheet::{
    COUNTERS, Content, Counter, Detail, MISSING, Moment, PROCESSES, Place, Sheet, Span, UNKNOWN,
};
use super::{categories, into_string, release, string};
use crate::model::event::{Event, Field, Value};
use crate::text::escape;

const HOUR: Moment = 3600 * 1_000_000_000;

/// The sequence of the ordered side; those of the workers follow.
const ORDERED: u32 = 1;

/// The tracks of counters; those of classes follow each other.
const EVENTS: u64 = COUNTERS.lane;
const MISSING_COUNT: u64 = 5;
const FIRST_CLASS: u64 = 10;

/// The number of bytes of interned texts that a worker remembers. If there are more, all are forgotten.
const MAX_INTERNED: usize = 1 << 20;

/// Longer texts are not interned: they are rarely repeated.
const MAX_TEXT: usize = 1024;

/// Shorter texts are not interned: their numbers would not be shorter.
const MIN_TEXT: usize = 4;

/// The approximate memory that an interned text takes besides its bytes.
const OVERHEAD: usize = 64;

/// The field `Trace.packet`.
const PACKET: u8 = 1;

/// The field `TrackEvent.debug_annotations`.
const ANNOTATION: u8 = 4;

/// The field `DebugAnnotation.dict_entries`.
const ENTRY: u8 = 11;

/// Appends a packet as a part of a file.
fn push(out: &mut Vec<u8>, packet: &impl Message) {
    push_part(out, PACKET, packet);
}

/// Appends a message as a part of another, in the field with this number, which is below 16.
fn push_part(out: &mut Vec<u8>, field: u8, part: &impl Message) {
    out.push(field << 3 | 2);
    // A vector grows as needed, so this can't fail.
    let _ = part.encode_length_delimited(out);
}

/// Moves an annotation that is encoded to the annotations of an event.
fn push_structure(out: &mut Vec<u8>, structure: &mut Vec<u8>) {
    if !structure.is_empty() {
        out.push(ANNOTATION << 3 | 2);
        let _ = prost::encode_length_delimiter(structure.len(), out);
        out.append(structure);
    }
}

/// Writes the contents of events; each worker has its own.
///
/// For each event it leaves three parts to the ordered side: the number of the sequence; a `TrackEvent` that lacks its
/// track; and a packet with interned texts, followed by its length, which has to be written even if the event isn't.
pub struct Events {
    values: Values,
    sequence: u32,
    has_begun: bool,
    categories: Table,
    names: Table,
    labels: Table,
    texts: Table,
    event: TrackEvent,
    /// The annotation of a structure, as far as it is encoded.
    structure: Vec<u8>,
    scratch: Vec<u8>,
}

impl Events {
    pub(in super::super) fn new(values: Values) -> Events {
        static SEQUENCES: AtomicU32 = AtomicU32::new(ORDERED + 1);
        Events {
            values,
            sequence: SEQUENCES.fetch_add(1, Ordering::Relaxed),
            has_begun: false,
            categories: Table::default(),
            names: Table::default(),
            labels: Table::default(),
            texts: Table::default(),
            event: TrackEvent::default(),
            structure: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn tables(&mut self) -> [&mut Table; 4] {
        [
            &mut self.categories,
            &mut self.names,
            &mut self.labels,
            &mut self.texts,
        ]
    }

    /// The packet that has to be written before the event, if there is one.
    fn interned(&mut self) -> Option<TracePacket> {
        let [event_categories, event_names, debug_annotation_names, texts] =
            self.tables().map(|table| std::mem::take(&mut table.new));
        let interned_data = InternedData {
            event_categories,
            event_names,
            debug_annotation_names,
            debug_annotation_string_values: texts,
        };
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if !is_first && interned_data == InternedData::default() {
            return None;
        }
        Some(TracePacket {
            trusted_packet_sequence_id: self.sequence,
            interned_data: Some(interned_data),
            sequence_flags: Some(if is_first {
                SEQ_INCREMENTAL_STATE_CLEARED
            } else {
                SEQ_NEEDS_INCREMENTAL_STATE
            }),
            ..TracePacket::default()
        })
    }

    /// Appends the members of an event as annotations, one by one: there may be very many, or long ones.
    fn annotate(&mut self, fields: &[Field<'_>], out: &mut Vec<u8>) {
        let mut within = "";
        for field in fields {
            let value = self.value(&field.value);
            self.scratch.clear();
            escape::push(&mut self.scratch, field.label.name);
            let annotation = DebugAnnotation {
                value: Some(value),
                ..named(&mut self.labels, &self.scratch)
            };
            // The members of a structure are the entries of one annotation.
            if field.label.within != within {
                within = field.label.within;
                push_structure(out, &mut self.structure);
                if !within.is_empty() {
                    let structure = named(&mut self.labels, within.as_bytes());
                    let _ = structure.encode(&mut self.structure);
                }
            }
            if within.is_empty() {
                push_part(out, ANNOTATION, &annotation);
            } else {
                push_part(&mut self.structure, ENTRY, &annotation);
            }
        }
        push_structure(out, &mut self.structure);
    }

    fn value(&mut self, value: &Value<'_>) -> AnnotationValue {
        match value {
            Value::Bool(bool) => return AnnotationValue::Bool(*bool),
            Value::Int(int) => {
                if let Ok(int) = i64::try_from(*int) {
                    return AnnotationValue::Int(int);
                }
                if let Ok(uint) = u64::try_from(*int) {
                    return AnnotationValue::Uint(uint);
                }
            }
            _ => {}
        }
        self.scratch.clear();
        self.values.push(&mut self.scratch, value);
        if self.scratch.len() > MAX_TEXT {
            return AnnotationValue::String(into_string(std::mem::take(&mut self.scratch)));
        }
        let is_worth_it = self.scratch.len() >= MIN_TEXT;
        let iid = is_worth_it.then(|| self.texts.intern(&self.scratch));
        match iid.flatten() {
            Some(iid) => AnnotationValue::StringIid(iid),
            None => AnnotationValue::String(string(&self.scratch)),
        }
    }
}

impl Format for Events {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let size: usize = self.tables().iter().map(|table| table.size).sum();
        if size > MAX_INTERNED {
            for table in self.tables() {
                *table = Table::default();
            }
            self.has_begun = false;
        }
        let mut track_event = std::mem::take(&mut self.event);
        track_event.r#type = Some(TYPE_INSTANT);
        track_event.category_iids.clear();
        for category in categories(event.event_type) {
            let iid = self.categories.intern(category.as_bytes());
            track_event.category_iids.extend(iid);
        }
        self.scratch.clear();
        push_event_type(&mut self.scratch, event.event_type);
        track_event.name_iid = self.names.intern(&self.scratch);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        // A vector grows as needed, so this can't fail.
        let _ = track_event.encode(out);
        self.event = track_event;
        self.annotate(&event.fields, out);
        release(&mut self.structure);
        if let Some(thread) = event.thread_id {
            let annotation = DebugAnnotation {
                value: Some(AnnotationValue::Uint(thread)),
                ..named(&mut self.labels, b"thread")
            };
            push_part(out, ANNOTATION, &annotation);
        }
        let end = out.len();
        if let Some(packet) = self.interned() {
            push(out, &packet);
        }
        // Interned texts are short.
        let length = u32::try_from(out.len() - end).unwrap_or(0);
        out.extend_from_slice(&length.to_le_bytes());
        start
    }
}

/// Splits what [`Events`] wrote for an event: the packet that has to be written in any case, the sequence, and the
/// event.
fn parts(text: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let (sequence, rest) = text.split_first_chunk()?;
    let (rest, length) = rest.split_last_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (event, interned) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
    Some((interned, u32::from_le_bytes(*sequence), event))
}

/// Texts with their numbers.
#[derive(Default)]
struct Table {
    numbers: HashMap<Vec<u8>, u64>,
    /// The texts that are not written yet.
    new: Vec<InternedString>,
    /// The approximate memory that they take, in bytes.
    size: usize,
}

impl Table {
    /// The number of a text; None if it has none and there are too many.
    fn intern(&mut self, text: &[u8]) -> Option<u64> {
        if let Some(iid) = self.numbers.get(text) {
            return Some(*iid);
        }
        if self.size > MAX_INTERNED {
            return None;
        }
        let iid = self.numbers.len() as u64 + 1;
        self.numbers.insert(text.to_vec(), iid);
        self.size += text.len() + OVERHEAD;
        let text = string(text);
        self.new.push(InternedString { iid, text });
        Some(iid)
    }
}

/// An annotation with a name and no value.
fn named(labels: &mut Table, name: &[u8]) -> DebugAnnotation {
    let name_iid = labels.intern(name);
    DebugAnnotation {
        name_iid,
        name: name_iid.is_none().then(|| string(name)),
        ..DebugAnnotation::default()
    }
}

/// The part of this format that runs on the ordered side.
#[derive(Default)]
pub(super) struct Perfetto {
    /// The time from which other times are counted.
    origin: Moment,
    /// The lanes and counters that have been introduced, other than those of processes.
    known: Vec<u64>,
    joined: Vec<u8>,
}

/// Appends the introduction of a track.
fn push_track(out: &mut Vec<u8>, descriptor: TrackDescriptor) {
    let packet = TracePacket {
        trusted_packet_sequence_id: ORDERED,
        track_descriptor: Some(descriptor),
        ..TracePacket::default()
    };
    push(out, &packet);
}

impl Perfetto {
    /// Introduces a lane that every trace can have, unless it has been introduced already.
    fn introduce(
        &mut self,
        lane: u64,
        parent: Option<u64>,
        name: &str,
        counter: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        if self.known.contains(&lane) {
            return;
        }
        self.known.push(lane);
        let descriptor = TrackDescriptor {
            uuid: lane,
            name: name.to_owned(),
            parent_uuid: parent,
            counter: counter.map(|unit| CounterDescriptor {
                unit_name: unit.to_owned(),
            }),
            ..TrackDescriptor::default()
        };
        push_track(out, descriptor);
    }

    fn push(&self, time: Moment, event: TrackEvent, out: &mut Vec<u8>) {
        let packet = TracePacket {
            timestamp: Some(time.saturating_sub(self.origin)),
            trusted_packet_sequence_id: ORDERED,
            track_event: Some(event),
            ..TracePacket::default()
        };
        push(out, &packet);
    }

    fn introduce_place(&mut self, place: Place, out: &mut Vec<u8>) {
        match place {
            UNKNOWN => self.introduce(UNKNOWN.lane, Some(PROCESSES), "unknown process", None, out),
            MISSING => self.introduce(MISSING.lane, None, "missing events", None, out),
            _ => {}
        }
    }
}

fn annotations(details: &[Detail]) -> Vec<DebugAnnotation> {
    let annotation = |detail: &Detail| DebugAnnotation {
        name: Some(detail.name.to_owned()),
        value: Some(match &detail.value {
            Content::Int(int) => AnnotationValue::Int(*int),
            Content::Text(text) => AnnotationValue::String(text.clone()),
        }),
        ..DebugAnnotation::default()
    };
    details.iter().map(annotation).collect()
}

impl Sheet for Perfetto {
    /// Times are counted from midnight (UTC), so that the axis shows the time of day. If that midnight is close, they
    /// are counted from the one before it, because an event may be a little earlier than the first that came.
    fn earliest(&self, first: Moment) -> Moment {
        let late = first.saturating_sub(HOUR);
        late - late % (24 * HOUR)
    }

    fn header(&mut self, out: &mut Vec<u8>) {
        let packet = TracePacket {
            trusted_packet_sequence_id: ORDERED,
            sequence_flags: Some(SEQ_INCREMENTAL_STATE_CLEARED),
            ..TracePacket::default()
        };
        push(out, &packet);
        let descriptor = TrackDescriptor {
            uuid: PROCESSES,
            name: "Processes".to_owned(),
            child_ordering: Some(CHRONOLOGICAL),
            ..TrackDescriptor::default()
        };
        push_track(out, descriptor);
    }

    /// Writes how times relate to the time of day.
    fn begin(&mut self, first: Moment, out: &mut Vec<u8>) {
        self.origin = self.earliest(first);
        let clock = |clock_id, timestamp| Clock {
            clock_id,
            timestamp,
        };
        let relative = first - self.origin;
        let packet = TracePacket {
            timestamp: Some(relative),
            trusted_packet_sequence_id: ORDERED,
            clock_snapshot: Some(ClockSnapshot {
                clocks: vec![
                    clock(BUILTIN_CLOCK_BOOTTIME, relative),
                    clock(BUILTIN_CLOCK_REALTIME, first),
                ],
            }),
            ..TracePacket::default()
        };
        push(out, &packet);
    }

    fn lane(&mut self, lane: u64, parent: Option<u64>, name: &str, out: &mut Vec<u8>) {
        let descriptor = TrackDescriptor {
            uuid: lane,
            name: name.to_owned(),
            parent_uuid: Some(parent.unwrap_or(PROCESSES)),
            child_ordering: Some(CHRONOLOGICAL),
            sibling_merge_behavior: Some(SIBLING_MERGE_BEHAVIOR_NONE),
            ..TrackDescriptor::default()
        };
        push_track(out, descriptor);
    }

    fn span(&mut self, place: Place, span: &Span, arrow: Option<u64>, out: &mut Vec<u8>) {
        let event = TrackEvent {
            r#type: Some(TYPE_SLICE_BEGIN),
            track_uuid: Some(place.lane),
            name: Some(span.name.clone()),
            categories: vec!["process".to_owned()],
            terminating_flow_ids: arrow.into_iter().collect(),
            debug_annotations: annotations(&span.details),
            ..TrackEvent::default()
        };
        self.push(span.begin, event, out);
    }

    fn span_end(&mut self, place: Place, time: Moment, details: &[Detail], out: &mut Vec<u8>) {
        let event = TrackEvent {
            r#type: Some(TYPE_SLICE_END),
            track_uuid: Some(place.lane),
            debug_annotations: annotations(details),
            ..TrackEvent::default()
        };
        self.push(time, event, out);
    }

    fn event(
        &mut self,
        place: Place,
        time: Moment,
        text: &[u8],
        arrow: Option<u64>,
        details: &[Detail],
        out: &mut Vec<u8>,
    ) {
        let Some((interned, sequence, event)) = parts(text) else {
            return;
        };
        out.extend_from_slice(interned);
        self.introduce_place(place, out);
        let rest = TrackEvent {
            track_uuid: Some(place.lane),
            flow_ids: arrow.into_iter().collect(),
            debug_annotations: annotations(details),
            ..TrackEvent::default()
        };
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        // The fields of a message may come in any order, so that two halves make a whole.
        joined.extend_from_slice(event);
        let _ = rest.encode(&mut joined);
        let packet = EncodedPacket {
            timestamp: Some(time.saturating_sub(self.origin)),
            trusted_packet_sequence_id: sequence,
            track_event: joined,
            sequence_flags: Some(SEQ_NEEDS_INCREMENTAL_STATE),
        };
        push(out, &packet);
        self.joined = packet.track_event;
        release(&mut self.joined);
    }

    fn hide(&mut self, text: &[u8], out: &mut Vec<u8>) {
        // Later events may refer to texts that were interned for this one.
        if let Some((interned, ..)) = parts(text) {
            out.extend_from_slice(interned);
        }
    }

    fn mark(
        &mut self,
        place: Place,
        time: Moment,
        name: &str,
        category: &str,
        details: &[Detail],
        out: &mut Vec<u8>,
    ) {
        self.introduce_place(place, out);
        let event = TrackEvent {
            r#type: Some(TYPE_INSTANT),
            track_uuid: Some(place.lane),
            name: Some(name.to_owned()),
            categories: vec![category.to_owned()],
            debug_annotations: annotations(details),
            ..TrackEvent::default()
        };
        self.push(time, event, out);
    }

    fn count(&mut self, counter: Counter, time: Moment, value: u64, out: &mut Vec<u8>) {
        let (lane, parent, name, unit) = match counter {
            Counter::Events => (EVENTS, None, "events/s", "events/s"),
            Counter::Class(at, name) => (FIRST_CLASS + at as u64, Some(EVENTS), name, "events/s"),
            Counter::Missing => (MISSING_COUNT, Some(MISSING.lane), "missing", "events"),
        };
        self.introduce(lane, parent, name, Some(unit), out);
        let event = TrackEvent {
            r#type: Some(TYPE_COUNTER),
            track_uuid: Some(lane),
            counter_value: Some(i64::try_from(value).unwrap_or(i64::MAX)),
            ..TrackEvent::default()
        };
        self.push(time, event, out);
    }

    fn has_open_ends(&self) -> bool {
        true
    }

    fn footer(&mut self, _out: &mut Vec<u8>) {}
}
