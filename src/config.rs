//! The options, checked and resolved.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

use crate::cli::{Cli, Color};
use crate::format::{self, Palette, Style};
use crate::live::{self, Choice};
use crate::model::catalogue::Row;
use crate::pipeline::record::{Rotate, Settings};
use crate::pipeline::{FileId, Outputs, Run, Stages};
use crate::report::{self, Look, Page, Summary, Terminal};
use crate::select::{
    self, Alternative, Compare, Conditions, Excluded, Filter, Follow, Kind, Limit, OwnPipeline,
    Pattern, Place, Point, Selection, Span, Tree, Who, duration_of,
};
use crate::source::recording::Input;
use crate::text::escape;

/// The task of the program.
pub enum Task {
    /// Lists every event of the catalogue.
    ListEvents,
    /// Explain an event.
    Explain(&'static Row),
    /// Check what a live trace needs.
    Doctor,
    /// Show the events of recordings.
    Read(Vec<Input>, Run),
    /// Trace a command.
    Command {
        /// The source of the events.
        choice: Choice,
        /// The command and its arguments.
        command: Vec<OsString>,
        /// The user that it runs as, if that isn't the user who runs this program.
        user: Option<String>,
        /// The run.
        run: Run,
    },
    /// Show events as they happen.
    Trace {
        /// The source of the events.
        choice: Choice,
        /// True if the actions of the program itself and of its pipeline are shown, too.
        include_self: bool,
        /// The run.
        run: Run,
    },
}

impl Task {
    /// The task that the options ask for.
    ///
    /// # Errors
    /// They are invalid.
    pub fn new(cli: &Cli) -> anyhow::Result<Task> {
        if cli.list_events {
            return Ok(Task::ListEvents);
        }
        if cli.doctor {
            return Ok(Task::Doctor);
        }
        if let Some(name) = &cli.explain {
            return select::named(name).map(Task::Explain);
        }
        let filter = filter(cli)?;
        let inputs = inputs(cli)?;
        let outputs = outputs(cli)?;
        let style = style(cli, outputs.is_terminal());
        if style.timeline().is_some() {
            if outputs.is_terminal() {
                bail!("a timeline is not for a terminal: give -o FILE");
            }
            if !cli.command.is_empty() && output_file(cli).is_none() {
                bail!("a timeline can't go where COMMAND writes, too: give -o FILE");
            }
        }
        let (follow, stages) = ordered(cli, &filter, style)?;
        let (again, of) = (cli.clone(), filter.clone());
        let duration = duration(cli)?;
        let run = Run {
            filter,
            style,
            outputs,
            follow,
            stages,
            // The options are valid: they have been read once.
            renew: Box::new(move || ordered(&again, &of, style).unwrap_or_default()),
            duration,
            asking_signals: live::ASKING,
            report_every: report_every(cli)?,
            fail_on_drop: cli.fail_on_drop,
            command_signals: None,
            ignored_signals: live::ignored_signals(),
        };
        Ok(if !cli.command.is_empty() {
            Task::Command {
                choice: cli.source,
                command: cli.command.clone(),
                user: cli.run_as.clone(),
                run,
            }
        } else if cli.read.is_empty() {
            Task::Trace {
                choice: cli.source,
                include_self: cli.include_self,
                run,
            }
        } else {
            Task::Read(inputs, run)
        })
    }
}

fn filter(cli: &Cli) -> anyhow::Result<Filter> {
    Ok(Filter {
        selection: Selection::parse(&cli.events)?,
        conditions: conditions(cli)?,
        own: OwnPipeline::default(),
        excluded_writers: Vec::new(),
    })
}

fn conditions(cli: &Cli) -> anyhow::Result<Conditions> {
    let tree = if cli.read.is_empty() {
        Tree::live
    } else {
        Tree::recorded
    };
    let place = |path: &PathBuf| Place::parse(path, tree);
    let is_pid = |path: &&PathBuf| {
        let text = path.as_os_str().as_encoded_bytes();
        !text.is_empty() && text.iter().all(u8::is_ascii_digit) && !path.exists()
    };
    if let Some(pid) = cli.path.iter().find(is_pid) {
        let pid = escape::name(pid);
        bail!("-p {pid}: -p takes the path of an executable; --pid {pid} selects a process");
    }
    let who = Who {
        pids: kind("--pid", &cli.pid, |pid| Ok(*pid))?,
        users: kind("--user", &cli.user, |user| uid(user))?,
        platform: match (cli.platform, cli.no_platform) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        teams: kind("--team", &cli.team, |team| Ok(team.clone().into_bytes()))?,
        images: kind("-p", &cli.path, |path| tree(path))?,
        names: kind("--name", &globs(&cli.name), |name| Pattern::of_name(name))?,
        signing_ids: kind("--signing-id", &globs(&cli.signing_id), |id| {
            Pattern::of_name(id)
        })?,
    };
    let not_who = Who {
        pids: kind("--not-pid", &cli.not_pid, |pid| Ok(*pid))?,
        users: kind("--not-user", &cli.not_user, |user| uid(user))?,
        platform: None,
        teams: kind("--not-team", &cli.not_team, |team| {
            Ok(team.clone().into_bytes())
        })?,
        images: kind("--not-path", &cli.not_path, |path| tree(path))?,
        names: kind("--not-name", &globs(&cli.not_name), |name| {
            Pattern::of_name(name)
        })?,
        signing_ids: kind("--not-signing-id", &globs(&cli.not_signing_id), |id| {
            Pattern::of_name(id)
        })?,
    };
    Ok(Conditions {
        who,
        targets: kind("-P", &cli.target, |path| place(path))?,
        failed: cli.failed,
        excluded: Excluded {
            who: not_who,
            targets: kind("--not-target", &cli.not_target, |path| place(path))?,
        },
        compare: Compare::default(),
    })
}

/// A value of an option, as a message shows it.
trait Typed {
    fn typed(&self) -> String;
}

impl Typed for i32 {
    fn typed(&self) -> String {
        self.to_string()
    }
}

impl Typed for String {
    fn typed(&self) -> String {
        escape::name(self)
    }
}

impl Typed for PathBuf {
    fn typed(&self) -> String {
        escape::name(self)
    }
}

/// The patterns of lists that are separated by commas. A comma within `{…}` or after a backslash separates nothing.
fn globs(lists: &[String]) -> Vec<String> {
    let mut globs = Vec::new();
    for list in lists {
        let (mut depth, mut is_escaped, mut start) = (0_usize, false, 0);
        for (at, byte) in list.bytes().enumerate() {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => {
                    globs.push(list[start..at].to_owned());
                    start = at + 1;
                }
                _ => {}
            }
        }
        globs.push(list[start..].to_owned());
    }
    globs
}

/// The alternatives of an option.
fn kind<V: Typed, T>(
    option: &str,
    values: &[V],
    parse: impl Fn(&V) -> anyhow::Result<T>,
) -> anyhow::Result<Kind<T>> {
    let alternative = |value: &V| {
        let typed = match value.typed() {
            empty if empty.is_empty() => format!("{option} ''"),
            typed => format!("{option} {typed}"),
        };
        let parsed = parse(value).with_context(|| typed.clone())?;
        Ok(Alternative::new(parsed, typed))
    };
    let alternatives = values.iter().map(alternative);
    alternatives.collect::<anyhow::Result<_>>().map(Kind)
}

/// The number of a user: as typed, or looked up here by name.
fn uid(user: &str) -> anyhow::Result<u32> {
    if let Ok(uid) = user.parse() {
        return Ok(uid);
    }
    let is_name = !user.is_empty() && !user.starts_with('-');
    let known = is_name.then(|| Command::new("/usr/bin/id").args(["-u", user]).output());
    let known = match known {
        Some(Ok(output)) if output.status.success() => String::from_utf8(output.stdout).ok(),
        _ => None,
    };
    known
        .and_then(|uid| uid.trim().parse().ok())
        .ok_or_else(|| anyhow!("no such user here; give the number of the user"))
}

/// The tree of processes that is followed, and the stages that look at the events in their order.
fn ordered(cli: &Cli, filter: &Filter, style: Style) -> anyhow::Result<(Option<Follow>, Stages)> {
    let mut stages = stages(cli)?;
    stages.extend(reports(cli, style)?);
    Ok((follow(cli, &filter.conditions.who)?, stages))
}

/// The tree of processes that is followed.
fn follow(cli: &Cli, who: &Who) -> anyhow::Result<Option<Follow>> {
    if !cli.command.is_empty() {
        // The tree is followed anyway, from its start on.
        return Ok(None);
    }
    if cli.follow && who.is_empty() {
        bail!("-f follows what a selected process starts: select one, as with --pid, --name or -p");
    }
    Ok(cli
        .follow
        .then(|| Follow::new(cli.read.is_empty() && who.is_pids_only())))
}

/// The stages.
fn stages(cli: &Cli) -> anyhow::Result<Stages> {
    let is_live = cli.read.is_empty();
    let mut stages = Stages::new();
    let point = |option: &str, text: &Option<String>| {
        let point = text.as_deref().map(Point::parse).transpose();
        point.with_context(|| format!("{option} {}", escape::name(text.as_deref().unwrap_or(""))))
    };
    if cli.since.is_some() || cli.until.is_some() {
        if is_live {
            bail!("--since and --until are for recordings; --duration ends a live trace");
        }
        let (since, until) = (point("--since", &cli.since)?, point("--until", &cli.until)?);
        stages.push(Box::new(Span::new(since, until, cli.utc)));
    }
    if let Some(count) = cli.limit {
        stages.push(Box::new(Limit::new(count)));
    }
    if let (format::Kind::Text | format::Kind::Line, Some(elapsed)) = (cli.format, cli.time.stage())
    {
        stages.push(Box::new(elapsed));
    }
    if let Some(timeline) = style(cli, false).timeline() {
        stages.push(Box::new(timeline));
    }
    Ok(stages)
}

fn inputs(cli: &Cli) -> anyhow::Result<Vec<Input>> {
    let input = |path: &PathBuf| match path {
        path if path == Path::new("-") => Input::Stdin,
        path => Input::File(path.clone()),
    };
    let mut inputs: Vec<_> = cli.read.iter().map(input).collect();
    if cli.follow_file
        && let Some(last) = inputs.last_mut()
    {
        match last {
            Input::File(path) => *last = Input::Followed(std::mem::take(path)),
            _ => bail!("--follow-file takes a file: standard input is read as it comes anyway"),
        }
    }
    Ok(inputs)
}

/// The time after which a live trace ends by itself.
fn duration(cli: &Cli) -> anyhow::Result<Option<Duration>> {
    let Some(text) = &cli.duration else {
        return Ok(None);
    };
    if !cli.command.is_empty() {
        bail!("--duration is for traces without a command, which end with it");
    }
    if !cli.read.is_empty() {
        bail!("--duration is for live traces; --until ends what is shown of a recording");
    }
    let duration = duration_of(text).with_context(|| format!("--duration {}", escape::name(text)));
    duration.map(Some)
}

/// The colours; `terminal` is true if a terminal shows them.
fn palette(cli: &Cli, terminal: bool) -> Palette {
    Palette(match cli.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    })
}

fn style(cli: &Cli, terminal: bool) -> Style {
    Style {
        kind: cli.format,
        utc: cli.utc,
        palette: palette(cli, terminal),
        env: cli.env,
        redact: cli.redact,
        terminal,
        time: cli.time,
        string_limit: cli.string_limit,
        verbose: cli.verbose,
    }
}

/// The reports, in the order in which they are printed.
fn reports(cli: &Cli, style: Style) -> anyhow::Result<Stages> {
    let mut stages = Stages::new();
    let has_summary = cli.summary || cli.summary_only;
    if !has_summary && cli.tree.is_none() {
        return Ok(stages);
    }
    if style.timeline().is_some() {
        bail!(
            "a summary or a tree is printed as text or with -F json: make the timeline in a separate run"
        );
    }
    let is_json = style.kind == format::Kind::Json;
    let asked_at_terminal = io::stderr().is_terminal();
    let shown = if cli.command.is_empty() {
        Terminal::Stdout
    } else {
        Terminal::Stderr
    };
    let look = Look {
        json: is_json,
        utc: style.utc,
        is_set_off: cli.summary && style.kind == format::Kind::Line,
        end: Page {
            terminal: style.terminal.then_some(shown),
            palette: style.palette,
        },
        meanwhile: Page {
            terminal: asked_at_terminal.then_some(Terminal::Stderr),
            palette: palette(cli, asked_at_terminal),
        },
    };
    let with_events = cli.summary;
    if let Some(count_by) = cli.tree {
        stages.push(Box::new(report::Tree::new(
            count_by,
            cli.tree_by,
            with_events,
            look,
        )));
    }
    if has_summary {
        let top = cli.top.unwrap_or(if is_json { 0 } else { 10 });
        let mut by = Vec::new();
        for table in &cli.summary_by {
            if !by.contains(table) {
                by.push(*table);
            }
        }
        let options = report::Options {
            by,
            sort_by: cli.summary_sort_by,
            top: (top > 0).then_some(top),
            with_events,
        };
        stages.push(Box::new(Summary::new(options, look)));
    }
    Ok(stages)
}

/// The interval of reports while a trace goes on.
fn report_every(cli: &Cli) -> anyhow::Result<Option<Duration>> {
    let Some(text) = &cli.summary_every else {
        return Ok(None);
    };
    let context = || format!("--summary-every {}", escape::name(text));
    let duration = duration_of(text).with_context(context)?;
    if duration.is_zero() {
        bail!("{}: expected a duration above 0", context());
    }
    Ok(Some(duration))
}

fn outputs(cli: &Cli) -> anyhow::Result<Outputs> {
    let record = cli.write.as_deref();
    if record == Some(Path::new("-")) {
        bail!("-w - makes no sense: -F json prints the events as they are recorded");
    }
    check_files(cli)?;
    let rotate = cli.rotate.as_deref().map(|text| {
        Rotate::parse(text).with_context(|| format!("--rotate {}", escape::name(text)))
    });
    let record = record.map(|path| -> anyhow::Result<_> {
        Ok(Settings {
            path: path.to_owned(),
            rotate: rotate.transpose()?,
            keep: cli.keep,
            others: Vec::new(),
        })
    });
    let read = cli.read.iter().filter_map(|path| FileId::of_shared(path));
    Ok(Outputs::new(
        output_file(cli),
        record.transpose()?,
        read.collect(),
        shows_beside_command(cli),
    ))
}

/// The file that events are shown in; None for standard output and standard error.
fn output_file(cli: &Cli) -> Option<&Path> {
    let output = cli.output.as_deref();
    output.filter(|path| *path != Path::new("-"))
}

/// Returns true if events are shown on standard error: the standard output of a command is its own.
fn shows_beside_command(cli: &Cli) -> bool {
    !cli.command.is_empty() && cli.output.is_none()
}

/// A file or a stream that is read or written.
struct Stream {
    /// Its name in messages.
    name: String,
    /// Its path without links, if nothing is there yet.
    new: Option<PathBuf>,
    id: Option<FileId>,
}

impl Stream {
    fn of(option: &str, path: &Path) -> Stream {
        let new = || {
            let folder = Path::new(".").join(path.parent()?);
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        };
        Stream {
            name: format!("{option} {}", escape::name(path)),
            new: if path.exists() { None } else { new() },
            id: FileId::of_shared(path),
        }
    }

    fn is_same(&self, other: &Stream) -> bool {
        (self.new.is_some() && self.new == other.new) || (self.id.is_some() && self.id == other.id)
    }
}

/// Refuses to write to a file that is read or written otherwise.
fn check_files(cli: &Cli) -> anyhow::Result<()> {
    let read = |path| match path {
        path if path == Path::new("-") => Stream {
            name: "standard input".to_owned(),
            new: None,
            id: FileId::of_stream(io::stdin()),
        },
        path => Stream::of("-r", path),
    };
    let inputs: Vec<_> = cli.read.iter().map(|path| read(path)).collect();
    let shown = match output_file(cli) {
        Some(path) => Stream::of("-o", path),
        None if shows_beside_command(cli) => Stream {
            name: "standard error".to_owned(),
            new: None,
            id: FileId::of_stream(io::stderr()),
        },
        None => Stream {
            name: "standard output".to_owned(),
            new: None,
            id: FileId::of_stream(io::stdout()),
        },
    };
    let record = cli.write.as_ref().map(|path| Stream::of("-w", path));
    if let Some(record) = record.as_ref().filter(|record| record.is_same(&shown)) {
        bail!("{} and {} are the same file", shown.name, record.name);
    }
    for output in [Some(shown), record].into_iter().flatten() {
        if let Some(input) = inputs.iter().find(|input| input.is_same(&output)) {
            bail!("{} would overwrite {}", output.name, input.name);
        }
    }
    Ok(())
}
