//! Writes decoded pieces in their order, and reports what was damaged and what is missing.

use std::io;

use crossbeam_channel::{Receiver, select};

use super::feed::{InFlight, Item};
use super::{Buffers, Control, Decoded, Found, Run};
use crate::exit::{Exit, reason, warn, write_all};
use crate::order::damage::{Damage, MAX_WARNINGS, NO_OBJECT};
use crate::order::loss::{Events, Losses, Missing, Origin, is_or_are};
use crate::order::stage::Verdict;
use crate::select::Follow;

/// The ordered side.
pub(super) struct Writer {
    pub(super) run: Run,
    pub(super) control: Control,
    exit: Exit,
    stream: Option<Stream>,
    /// The events missing from the streams that have ended.
    missing: Missing,
    has_begun: bool,
    /// The number of events of live streams that aren't shown because Ctrl-C came before they were printed.
    unshown: u64,
    /// The number of events of processes that have joined the pipeline that a live trace prints into.
    hidden: u64,
    /// True if everything has been read before: its damage has been reported.
    is_second_look: bool,
    /// The exit status, if it was decided before the source has ended: the events that still come are thrown away.
    is_over: Option<Exit>,
}

impl Writer {
    pub(super) fn new(run: Run, control: Control) -> Writer {
        Writer {
            run,
            control,
            exit: Exit::Done,
            stream: None,
            missing: Missing::default(),
            has_begun: false,
            unshown: 0,
            hidden: 0,
            is_second_look: false,
            is_over: None,
        }
    }

    /// Takes items until the end of the source. A message in `woken` means that the control has changed: the run ends
    /// once everything that has been read is written, or a report is requested.
    ///
    /// # Errors
    /// The exit status is known, and nothing has to be waited for.
    pub(super) fn items(
        &mut self,
        items: &Receiver<Item>,
        woken: &Receiver<()>,
        in_flight: &InFlight,
        buffers: &Buffers,
    ) -> Result<(), Exit> {
        loop {
            if self.control.is_asked() {
                self.report();
            }
            let next = if self.control.is_stopped() {
                items.try_recv().ok()
            } else {
                select! {
                    recv(items) -> item => item.ok(),
                    recv(woken) -> _ => continue,
                }
            };
            let Some(item) = next else {
                return Ok(());
            };
            match item {
                Item::Begin { origin, is_live } => self.begin(origin, is_live)?,
                Item::Piece(decoded) => {
                    let Ok(decoded) = decoded.recv() else {
                        warn(format_args!("a thread that decodes has died"));
                        return Err(Exit::Failed);
                    };
                    in_flight.remove(decoded.size);
                    if self.is_over.is_none() {
                        self.piece(decoded, buffers)?;
                    }
                }
                Item::End(result) => self.end_stream(&result),
                Item::Failed(origin, error) => {
                    warn(format_args!("{origin}: {}", reason(&error)));
                    self.exit = Exit::Failed;
                }
                Item::Stop => return Ok(()),
            }
            if self.is_over.is_some() && self.control.is_stopped() {
                return Ok(());
            }
        }
    }

    fn begin(&mut self, origin: Origin, is_live: bool) -> Result<(), Exit> {
        self.stream = Some(Stream {
            name: origin.to_string(),
            is_live,
            warnings: Warnings::default(),
            losses: Losses::new(origin),
        });
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        if let Err(exit) = self.run.outputs.open() {
            return self.give_up(exit);
        }
        let mut out = Vec::new();
        for stage in &mut self.run.stages {
            stage.begin(&mut out);
        }
        self.write(&out, &[])
    }

    fn piece(&mut self, mut decoded: Decoded, buffers: &Buffers) -> Result<(), Exit> {
        let missing = self.count(&decoded.found);
        self.hidden += decoded.hidden;
        if self.run.is_ordered() {
            self.pass_stages(&mut decoded, missing.as_ref(), buffers);
        } else if self.control.hurries() {
            decoded.text.clear();
            self.leave_unshown(decoded.events);
        }
        self.write(&decoded.text, &decoded.record)?;
        buffers.give(decoded.text);
        if let Some(stream) = self.stream.as_mut().filter(|_| !self.is_second_look) {
            stream.report(&decoded.found);
        }
        let is_over = self.run.stages.iter().any(|stage| stage.is_over())
            || self.run.follow.as_ref().is_some_and(Follow::is_over);
        if self.is_over.is_none() && is_over {
            self.is_over = Some(self.exit);
            self.control.stop();
        }
        Ok(())
    }

    /// Counts events that were read but not shown. After an interrupt, nobody expects all events of a file.
    fn leave_unshown(&mut self, events: u64) {
        if self.stream.as_ref().is_some_and(|stream| stream.is_live) {
            self.unshown += events;
        }
    }

    /// Counts the numbers of a piece. If this changes what is missing, returns what is missing so far in all streams.
    fn count(&mut self, found: &Found) -> Option<Missing> {
        let stream = self.stream.as_mut().filter(|_| !self.is_second_look)?;
        let before = stream.losses.lost();
        stream.losses.append(&found.stretches);
        if stream.losses.lost() == before || self.run.stages.is_empty() {
            return None;
        }
        let mut missing = self.missing.clone();
        missing.extend(stream.losses.missing());
        Some(missing)
    }

    /// Passes the events of a piece to the stages, and keeps only what they show.
    fn pass_stages(&mut self, decoded: &mut Decoded, missing: Option<&Missing>, buffers: &Buffers) {
        let mut text = if self.run.formats() {
            buffers.take()
        } else {
            Vec::new()
        };
        let mut record = Vec::new();
        let hurries = self.control.hurries();
        let mut unshown = 0;
        let Run { follow, stages, .. } = &mut self.run;
        if let Some(missing) = missing {
            for stage in &mut *stages {
                stage.missing(missing, &mut text);
            }
        }
        for (fact, its_record) in decoded.facts.iter(&decoded.text, &decoded.record) {
            if stages.iter().any(|stage| stage.is_over()) {
                break;
            }
            let belongs = match follow {
                Some(follow) => follow.belongs(&fact),
                None => !fact.chosen.is_empty(),
            };
            self.hidden += u64::from(fact.hidden && belongs);
            let mut shown = fact.selected && belongs;
            let mut is_replaced = false;
            for stage in &mut *stages {
                let verdict = stage.event(&fact, shown, &mut text);
                shown = verdict != Verdict::Hide;
                is_replaced |= verdict == Verdict::Replace;
            }
            if shown {
                record.extend_from_slice(its_record);
                match (is_replaced, hurries) {
                    (true, _) => {}
                    (false, true) => unshown += 1,
                    (false, false) => text.extend_from_slice(fact.text),
                }
            }
            if stages.iter().any(|stage| stage.is_over()) {
                break;
            }
        }
        buffers.give(std::mem::replace(&mut decoded.text, text));
        decoded.record = record;
        self.leave_unshown(unshown);
    }

    /// Writes what the stages have to report so far on standard error.
    fn report(&mut self) {
        let mut missing = self.missing.clone();
        if let Some(stream) = &self.stream {
            missing.extend(stream.losses.missing());
        }
        let mut out = Vec::new();
        for stage in &mut self.run.stages {
            stage.report(&missing, &mut out);
        }
        // If nobody reads standard error, nobody has to be warned about it.
        let _ = write_all(&mut io::stderr(), &out);
    }

    /// Writes text. If that fails, the source is stopped.
    fn write(&mut self, text: &[u8], record: &[u8]) -> Result<(), Exit> {
        match self.run.outputs.write(text, record, self.exit) {
            Ok(()) => Ok(()),
            Err(exit) => self.give_up(exit),
        }
    }

    /// Ends a run that can't write: at once, or when a live source has ended.
    fn give_up(&mut self, exit: Exit) -> Result<(), Exit> {
        if !self.control.stop() {
            return Err(exit);
        }
        self.is_over = Some(exit);
        Ok(())
    }

    fn end_stream(&mut self, result: &io::Result<()>) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        if self.is_second_look {
            return;
        }
        self.missing.extend(stream.losses.missing());
        if self.is_over.is_none() {
            self.exit = stream.end(result, self.exit, self.run.fail_on_drop);
        }
    }

    /// Returns true if the events have to be looked at again, with names compared without case, because a requested
    /// path never matched exactly, so that nothing was shown.
    pub(super) fn looks_again(&mut self) -> bool {
        let is_whole = self.is_over.is_none() && !self.control.is_stopped();
        let Some(conditions) = self
            .run
            .filter
            .conditions
            .without_case()
            .filter(|_| is_whole)
        else {
            return false;
        };
        self.run.filter.conditions = conditions;
        (self.run.follow, self.run.stages) = (self.run.renew)();
        for stage in &mut self.run.stages {
            stage.begin(&mut Vec::new());
        }
        self.is_second_look = true;
        true
    }

    /// Ends what is still open, lets the stages write the end of their output, and returns the exit status.
    pub(super) fn end(&mut self) -> Exit {
        self.end_stream(&Ok(()));
        if self.unshown > 0 {
            warn(format_args!(
                "interrupted: {} that had not been printed yet {} not shown",
                Events(self.unshown),
                is_or_are(self.unshown)
            ));
        }
        if self.hidden > 0 {
            warn(format_args!(
                "{} of processes that joined this trace's process group after it started {} left out \
                 (see --include-self)",
                Events(self.hidden),
                is_or_are(self.hidden)
            ));
        }
        if self.is_over.is_none() && self.has_begun {
            let (unmatched, is_narrowed) = self.run.filter.conditions.unmatched();
            let of_what = if is_narrowed {
                " that the other options select"
            } else {
                ""
            };
            for typed in unmatched {
                warn(format_args!("{typed} matched nothing{of_what}"));
            }
        }
        if let Some(follow) = &self.run.follow {
            follow.end();
        }
        if self.has_begun && !self.run.outputs.has_failed() {
            let mut out = Vec::new();
            for stage in &mut self.run.stages {
                stage.end(&self.missing, &mut out);
            }
            if let Err(exit) = self.run.outputs.write(&out, &[], self.exit) {
                return exit;
            }
        }
        self.is_over.unwrap_or(self.exit)
    }
}

/// The state of a stream, with what has to be reported about it.
struct Stream {
    name: String,
    is_live: bool,
    warnings: Warnings,
    losses: Losses,
}

impl Stream {
    fn report(&mut self, found: &Found) {
        for damage in &found.damage {
            self.warnings.take(damage);
        }
        self.warnings.has_messages |= found.has_messages;
        if self.warnings.has_messages {
            self.warnings.report(&self.name);
        }
        if self.is_live {
            self.losses.report();
        }
    }

    /// Reports the totals and returns the exit status.
    fn end(mut self, result: &io::Result<()>, exit: Exit, fail_on_drop: bool) -> Exit {
        self.warnings.report_totals(&self.name);
        self.losses.report_totals();
        if let Err(error) = result {
            warn(format_args!("{}: {}", self.name, reason(error)));
        }
        if result.is_err() || self.warnings.damaged > 0 {
            Exit::Failed
        } else if fail_on_drop {
            self.losses.exit(exit)
        } else {
            exit
        }
    }
}

/// The number of damaged lines that are reported one by one if there is no message at all.
const FEW: u64 = 3;

/// Counts damage in a stream.
#[derive(Default)]
struct Warnings {
    damaged: u64,
    lost: u64,
    /// True if there was a message. Until there is one, the input may not be a recording at all.
    has_messages: bool,
    /// The warnings that are still to be reported: lines and reasons.
    held: Vec<(u64, String)>,
    /// The number of warnings that have been reported.
    reported: u64,
}

impl Warnings {
    fn take(&mut self, damage: &Damage) {
        if self.damaged < MAX_WARNINGS {
            self.held.push((damage.line, damage.reason.clone()));
        }
        self.damaged += damage.count;
        self.lost += if damage.is_loss { damage.count } else { 0 };
    }

    fn report(&mut self, name: &str) {
        for (line, reason) in self.held.drain(..) {
            warn(format_args!("{name}:{line}: {reason}"));
            self.reported += 1;
        }
        if self.reported == MAX_WARNINGS && self.damaged > MAX_WARNINGS {
            warn(format_args!("{name}: further warnings are only counted"));
            self.reported += 1;
        }
    }

    fn report_totals(&mut self, name: &str) {
        let has_text = self.held.iter().any(|(_, reason)| reason == NO_OBJECT);
        if let Some((line, reason)) = self.held.first()
            && !self.has_messages
            && (has_text || self.damaged > FEW)
        {
            warn(format_args!(
                "{name}: not a recording: no message in it (line {line}: {reason})"
            ));
        } else if self.damaged > 0 {
            self.report(name);
            let Warnings { damaged, lost, .. } = self;
            warn(format_args!(
                "{name}: {damaged} damaged, {lost} of them skipped"
            ));
        }
    }
}
