//! Other activity on a Mac: messages of processes that aren't the program's, between those that are.

use std::path::Path;
use std::time::Duration;

use super::super::process::{self, Image, LAUNCHD, Shown, int, object, string, token};
use crate::builder::time;
use crate::json::{self, Json};
use crate::settings;

/// Foreign processes have identifiers from this one on; no process on Linux has one as large.
const FOREIGN: i32 = 500_000_000;

/// A message that lacks only its time.
pub type Draft = (u32, &'static str, Json, Json);

/// Messages of other processes, and those processes.
pub struct Noise {
    messages: Vec<Json>,
    /// The index of the next message.
    next: usize,
    /// Processes that have ended; launchd's next processes get their identifiers.
    pub ended: Vec<i32>,
    /// The last identifier given to a foreign process.
    foreign: i32,
    version: u32,
}

impl Noise {
    /// Reads the messages of `--noise`.
    pub fn read(version: u32) -> Result<Self, String> {
        let mut messages = Vec::new();
        for path in &settings::get().noise {
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let text = std::fs::read(path).map_err(|error| wrong(&error))?;
            for value in json::values(&text) {
                let (_, mut message) =
                    value.map_err(|error| wrong(&format!("byte {}: {error}", error.at)))?;
                make_foreign(&mut message);
                messages.push(message);
            }
        }
        Ok(Noise {
            messages,
            next: 0,
            ended: Vec::new(),
            foreign: FOREIGN,
            version,
        })
    }

    /// Returns true if there is something to send.
    pub fn is_some(&self) -> bool {
        !self.messages.is_empty()
    }

    /// The next message, with its time set.
    pub fn next(&mut self, now: Duration, ticks: u64) -> Option<String> {
        let version = self.version;
        let count = self.messages.len();
        let message = self.messages.get_mut(self.next)?;
        self.next = (self.next + 1) % count;
        if let Json::Object(members) = message {
            for (name, value) in members {
                match name.as_str() {
                    "time" => *value = string(time::format(now, 9)),
                    "mach_time" => *value = int(ticks),
                    "version" => *value = int(version),
                    "seq_num" | "global_seq_num" => *value = int(0),
                    _ => {}
                }
            }
        }
        Some(message.to_string())
    }

    /// The identifier of a new foreign process.
    fn foreign(&mut self) -> i32 {
        self.foreign += 1;
        self.foreign
    }

    /// The messages of what launchd does on behalf of a process that has a new image: it registers a launch item,
    /// looks up a service where the macOS has such messages, and starts another process. `versions` returns new
    /// versions of identifiers.
    pub fn delegated(
        &mut self,
        instigator: &Json,
        instigator_token: [u32; 8],
        mut versions: impl FnMut() -> u32,
    ) -> Vec<Draft> {
        const BTM_LAUNCH_ITEM_ADD: u32 = 124;
        const BOOTSTRAP_LOOK_UP: u32 = 161;
        let launchd = launchd(self.version);
        let item = object([
            ("item_type", int(3)),
            ("legacy", Json::Bool(true)),
            ("managed", Json::Bool(false)),
            ("uid", int(instigator_token[1])),
            (
                "item_url",
                string("file:///Library/LaunchAgents/simulated.plist"),
            ),
            ("app_url", Json::Null),
        ]);
        let mut add = vec![
            ("instigator".to_string(), instigator.clone()),
            ("app".into(), Json::Null),
            ("item".into(), item),
            ("executable_path".into(), string("/usr/bin/true")),
        ];
        if self.version >= 8 {
            add.push(("instigator_token".into(), token(instigator_token)));
            add.push(("app_token".into(), Json::Null));
        }
        let mut drafts: Vec<Draft> = vec![(
            BTM_LAUNCH_ITEM_ADD,
            "btm_launch_item_add",
            launchd.clone(),
            Json::Object(add),
        )];
        if self.version >= 11 {
            let target = object([
                ("target", Json::Null),
                ("target_token", token(LAUNCHD)),
                ("job_label", string("simulated")),
            ]);
            let look_up = object([
                ("instigator", instigator.clone()),
                ("instigator_token", token(instigator_token)),
                ("service_name", string("simulated")),
                ("target_type", int(0)),
                ("target", object([("process", target)])),
            ]);
            drafts.push((BOOTSTRAP_LOOK_UP, "bootstrap_look_up", launchd, look_up));
        }
        let pid = self.foreign();
        drafts.extend(self.life_of(pid, &mut versions));
        drafts
    }

    /// The life of a process that launchd starts, with this identifier, and of a process that this one starts.
    pub fn life_of(&mut self, pid: i32, mut versions: impl FnMut() -> u32) -> Vec<Draft> {
        let child = self.foreign();
        let launchd = launchd(self.version);
        let start = process::now();
        let forked = foreign(pid, versions(), 1, LAUNCHD, start, "/sbin/launchd");
        let executed = foreign(pid, versions(), 1, LAUNCHD, start, "/usr/libexec/xpcproxy");
        let parent = executed.token;
        let below = foreign(
            child,
            versions(),
            pid,
            parent,
            start,
            "/usr/libexec/xpcproxy",
        );
        let version = self.version;
        let [forked, executed, below] = [forked, executed, below].map(|shown| shown.json(version));
        let no_arguments = [
            ("args", Json::Array(vec![string("xpcproxy")])),
            ("env", Json::Array(vec![])),
        ];
        let [args, env] = no_arguments;
        let exec = object([
            ("target", executed.clone()),
            args,
            env,
            ("cwd", process::file(Path::new("/"), Path::new("/"))),
        ]);
        let exit = || object([("stat", int(0))]);
        vec![
            (
                super::FORK,
                "fork",
                launchd,
                object([("child", forked.clone())]),
            ),
            (super::EXEC, "exec", forked, exec),
            (
                super::FORK,
                "fork",
                executed.clone(),
                object([("child", below.clone())]),
            ),
            (super::EXIT, "exit", below, exit()),
            (super::EXIT, "exit", executed, exit()),
        ]
    }
}

/// Gives the processes of a message identifiers that Linux doesn't use; those of the system itself stay.
fn make_foreign(json: &mut Json) {
    let moved = |number: &mut i128| {
        if *number > 1 {
            *number += i128::from(FOREIGN / 2);
        }
    };
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    (
                        "pid" | "ppid" | "original_ppid" | "group_id" | "session_id",
                        Json::Int(number),
                    ) => moved(number),
                    (name, Json::Array(items)) if name.ends_with("token") && items.len() == 8 => {
                        if let Json::Int(number) = &mut items[5] {
                            moved(number);
                        }
                    }
                    (_, value) => make_foreign(value),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(make_foreign),
        _ => {}
    }
}

/// A process of root that isn't the program's.
fn foreign(
    pid: i32,
    version: u32,
    parent: i32,
    parent_token: [u32; 8],
    start: Duration,
    path: &str,
) -> Foreign {
    Foreign {
        token: [
            u32::MAX,
            0,
            0,
            0,
            0,
            pid.cast_unsigned(),
            LAUNCHD[6],
            version,
        ],
        parent,
        parent_token,
        start,
        image: image(path),
    }
}

/// An image of the system; on a Linux that may lack it, it stands for another file.
fn image(path: &str) -> Image {
    Image {
        path: path.into(),
        file: "/bin/sh".into(),
    }
}

struct Foreign {
    token: [u32; 8],
    parent: i32,
    parent_token: [u32; 8],
    start: Duration,
    image: Image,
}

impl Foreign {
    fn json(&self, version: u32) -> Json {
        let pid = self.token[5].cast_signed();
        let shown = Shown {
            token: self.token,
            parent: self.parent,
            parent_token: self.parent_token,
            original_parent: self.parent,
            group: pid,
            session: pid,
            terminal: None,
            start: self.start,
            image: &self.image,
            responsible: self.token,
            is_client: false,
        };
        shown.json(version)
    }
}

/// launchd itself, which started when the system did.
fn launchd(version: u32) -> Json {
    let launchd = Foreign {
        token: LAUNCHD,
        parent: 0,
        parent_token: [u32::MAX, 0, 0, 0, 0, 0, LAUNCHD[6], 0],
        start: Duration::from_secs(6),
        image: image("/sbin/launchd"),
    };
    launchd.json(version)
}
