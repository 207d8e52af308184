//! Measures how fast recordings are read: whole runs of the program on a generated recording.
//!
//! `cargo bench --bench recording` measures the program. With `-- --compare` it runs jq, DuckDB and ripgrep in turn
//! with it, where they are installed, and prints ratios. Those can be compared, because both runs of a pair run on
//! the same machine. `PROCTRACER_BENCH_MB` sets the size of the recording (200).

#![allow(
    clippy::cast_precision_loss,
    reason = "sizes of files are far below 2^53"
)]

mod generate;

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The number of counted runs of each command, after one that doesn't count.
const RUNS: usize = 9;

fn main() -> std::io::Result<()> {
    let compare = std::env::args().any(|arg| arg == "--compare");
    let megabytes = std::env::var("PROCTRACER_BENCH_MB")
        .ok()
        .and_then(|mb| mb.parse().ok())
        .unwrap_or(200);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recording-{megabytes}.jsonl"));
    if !path.exists() {
        eprintln!("generating {megabytes} MB");
        generate::recording(&path, megabytes)?;
    }
    let size = std::fs::metadata(&path)?.len();
    let file = path.to_str().expect("the target folder's name is UTF-8");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{} MB of eslogger-like lines, {threads} cores, {RUNS} runs, medians\n",
        size / 1_000_000
    );

    let text = ["-r", file];
    let line = ["-F", "line", "-r", file];
    let json = ["-F", "json", "-r", file];
    let perfetto = ["-F", "perfetto", "-r", file];
    let chrome = ["-F", "chrome", "-r", file];
    let summary = ["-c", "-r", file];
    let tree = ["--tree", "-r", file];
    let exec = ["-e", "exec", "-F", "json", "-r", file];
    let users = ["-p", "/Users", "-r", file];
    let followed = ["-f", "-p", "/Users", "-r", file];
    let paths = ["-P", "/Users", "-r", file];
    println!("| proctracer | seconds | MB/s | peak memory, MiB |");
    println!("|---|---|---|---|");
    for (what, args) in [
        ("to text", &text[..]),
        ("to line", &line),
        ("to json", &json),
        ("to perfetto", &perfetto),
        ("to chrome", &chrome),
        ("`-c`", &summary),
        ("`--tree`", &tree),
        ("`-e exec -F json`", &exec),
    ] {
        let run = Measured::of(RUNS, || proctracer(args));
        let rate = size as f64 / 1e6 / run.seconds;
        println!(
            "| {what} | {:.3} | {rate:.0} | {:.1} |",
            run.seconds, run.peak_mib
        );
    }
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/seed.jsonl");
    println!(
        "| start to end on seven events | {:.4} | | |",
        Measured::of(RUNS, || proctracer(&["-r", seed])).seconds
    );
    if compare {
        println!("\n| | proctracer | peer | ratio |");
        println!("|---|---|---|---|");
        pair("to text, and `jq -c .event_type`", &text, || {
            Some(peer("jq", &["-c", ".event_type", file]))
        });
        pair(
            "to text, and DuckDB's `read_json`, 12 columns",
            &text,
            || duckdb(COLUMNS, file),
        );
        pair("`-c`, and to text", &summary, || Some(proctracer(&text)));
        pair("`--tree`, and to text", &tree, || Some(proctracer(&text)));
        pair("`-c`, and DuckDB's same three tables", &summary, || {
            duckdb(TABLES, file)
        });
        pair("to perfetto, and to text", &perfetto, || {
            Some(proctracer(&text))
        });
        pair("`-f -p /Users`, and `-p /Users`", &followed, || {
            Some(proctracer(&users))
        });
        pair("`-P /Users`, and to text", &paths, || {
            Some(proctracer(&text))
        });
        let exec_pattern = r#""event":{"exec""#;
        pair("`-e exec -F json`, and `rg -c -F`", &exec, || {
            Some(peer("rg", &["-c", "-F", exec_pattern, file]))
        });
    }
    Ok(())
}

/// Runs the two in turn, and prints their times.
fn pair(what: &str, args: &[&str], other: impl Fn() -> Option<Run>) {
    if other().is_none_or(|run| !run.success) {
        println!("| {what} | | not installed | |");
        return;
    }
    let mut ratios = Vec::new();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        let mine = proctracer(args).seconds;
        let theirs = other().map_or(f64::NAN, |run| run.seconds);
        ratios.push(theirs / mine);
        times[0].push(mine);
        times[1].push(theirs);
    }
    let [mine, theirs] = times.map(median);
    println!(
        "| {what} | {mine:.3} s | {theirs:.3} s | {:.2} times as fast |",
        median(ratios)
    );
}

/// A run of a command.
struct Run {
    seconds: f64,
    peak_mib: f64,
    success: bool,
}

/// The medians of several runs.
struct Measured {
    seconds: f64,
    peak_mib: f64,
}

impl Measured {
    fn of(runs: usize, run: impl Fn() -> Run) -> Measured {
        run();
        let runs: Vec<_> = (0..runs).map(|_| run()).collect();
        assert!(runs.iter().all(|run| run.success), "a run failed");
        Measured {
            seconds: median(runs.iter().map(|run| run.seconds).collect()),
            peak_mib: runs.iter().map(|run| run.peak_mib).fold(0.0, f64::max),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn proctracer(args: &[&str]) -> Run {
    peer(env!("CARGO_BIN_EXE_proctracer"), args)
}

/// Runs a command to its end and discards its output.
fn peer(program: &str, args: &[&str]) -> Run {
    let start = Instant::now();
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        return Run {
            seconds: f64::NAN,
            peak_mib: f64::NAN,
            success: false,
        };
    };
    let id = child.id();
    let watcher = std::thread::spawn(move || peak_mib(id));
    let success = child.wait().is_ok_and(|status| status.success());
    let seconds = start.elapsed().as_secs_f64();
    Run {
        seconds,
        peak_mib: watcher.join().unwrap_or(f64::NAN),
        success,
    }
}

/// The peak memory of a process, measured until it ends; only where there is `/proc`.
fn peak_mib(id: u32) -> f64 {
    let mut peak = f64::NAN;
    let status = format!("/proc/{id}/status");
    while let Ok(status) = std::fs::read_to_string(&status) {
        let row = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kib) = row.and_then(|row| row.trim().strip_suffix(" kB")?.parse::<f64>().ok())
        else {
            break;
        };
        peak = kib / 1024.0;
        std::thread::sleep(Duration::from_millis(4));
    }
    peak
}

/// Twelve columns, read by DuckDB.
const COLUMNS: &str = r"
ints = 'version seq_num global_seq_num mach_time event_type action_type schema_version'.split()
columns = {name: 'BIGINT' for name in ints} | {name: 'JSON' for name in 'process event thread action'.split()} | {'time': 'VARCHAR'}
names = ', '.join(f'max({name}::VARCHAR)' for name in columns)
query(f'select {names} from read_json(?, format=$$newline_delimited$$, columns={columns})', [sys.argv[1]])
";

/// The tables of a summary by DuckDB: by event, by program, by file, each with its processes.
const TABLES: &str = r"
columns = {'process': 'JSON', 'event': 'JSON', 'time': 'VARCHAR'}
paths = ['file.path', 'target.path', 'source.path', 'target.executable.path']
files = ', '.join(f'json_extract_string(event, $$$.$$ || name || $$.{path}$$)' for path in paths)
query(f'''create temp table events as select
    json_keys(event)[1] as name,
    time,
    process->>'$.executable.path' as program,
    (process->>'$.audit_token.pid') || ' ' || (process->>'$.start_time') as actor,
    (event->>'$.exit.stat')::BIGINT as status,
    list_distinct(list_filter([{files}], lambda path: path is not null)) as files
    from read_json(?, format='newline_delimited', columns={columns})''', [sys.argv[1]])
query('select name, count(*), count(distinct actor), min(time), max(time) from events group by name order by 2 desc')
query('select program, count(*), count(distinct actor), count(distinct case when status <> 0 then actor end) from events group by program order by 2 desc')
query('select file, count(*), count(distinct actor) from (select unnest(files) as file, actor from events) group by file order by 2 desc')
";

/// Runs queries of DuckDB, through its Python module. Measures only the time of the queries.
fn duckdb(queries: &str, file: &str) -> Option<Run> {
    const BEGIN: &str = r"
import sys, time
try:
    import duckdb
except ImportError:
    sys.exit(1)
connection = duckdb.connect()
query = lambda *args: connection.execute(*args).fetchall()
start = time.perf_counter()
";
    let script = format!("{BEGIN}{queries}print(time.perf_counter() - start)\n");
    let mut child = Command::new("python3")
        .args(["-c", &script, file])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut seconds = String::new();
    child.stdout.take()?.read_to_string(&mut seconds).ok()?;
    let success = child.wait().ok()?.success();
    Some(Run {
        seconds: seconds.trim().parse().ok()?,
        peak_mib: f64::NAN,
        success,
    })
}
