//! The events of a few dozen processes, as messages in eslogger's JSON.

use serde_json::{Value, json};

use super::Random;

/// The image of a process.
#[derive(Debug, PartialEq)]
pub struct Image {
    pub path: &'static str,
    pub signing_id: &'static str,
    /// Empty means none.
    pub team: &'static str,
    pub is_platform: bool,
}

const fn apples(path: &'static str, signing_id: &'static str) -> Image {
    Image {
        path,
        signing_id,
        team: "",
        is_platform: true,
    }
}

const fn others(path: &'static str, signing_id: &'static str, team: &'static str) -> Image {
    Image {
        path,
        signing_id,
        team,
        is_platform: false,
    }
}

static LAUNCHD: Image = apples("/sbin/launchd", "com.apple.xpc.launchd");
const SH: Image = apples("/bin/sh", "com.apple.sh");

/// The daemons, which also act on behalf of other processes.
static DAEMONS: [Image; 3] = [
    apples("/usr/libexec/opendirectoryd", "com.apple.opendirectoryd"),
    apples(
        "/System/Library/PrivateFrameworks/TCC.framework/Support/tccd",
        "com.apple.tccd",
    ),
    others(
        "/Library/Sync & Co/syncd",
        "com.example.syncd",
        "SYNCXMPL01",
    ),
];

/// The images that processes start with and exec.
pub static IMAGES: [Image; 15] = [
    apples("/bin/zsh", "com.apple.zsh"),
    SH,
    apples("/bin/ls", "com.apple.ls"),
    apples("/usr/libexec/installd", "com.apple.installd"),
    apples(
        "/System/Volumes/Preboot/Cryptexes/App/System/Applications/Safari.app/Contents/MacOS/Safari",
        "com.apple.Safari",
    ),
    apples("/Library/Developer/usr/bin/clang", "com.apple.clang"),
    apples("/Library/Developer/usr/bin/make", "com.apple.make"),
    others(
        "/Applications/Lumen.app/Contents/MacOS/Lumen",
        "com.example.lumen",
        "XMPL4BRWSR",
    ),
    others(
        "/Applications/Lumen Helper (GPU).app/Contents/MacOS/Lumen Helper (GPU)",
        "com.example.lumen.helper",
        "XMPL4BRWSR",
    ),
    others("/Users/test/bin/tool", "tool", ""),
    others(
        "/System/Volumes/Data/Users/test/bin/other-tool",
        "other",
        "",
    ),
    others("/Users/tester/bin/make", "make", ""),
    others(
        "/Users/test/Cafe\u{301}.app/Contents/MacOS/Cafe\u{301}",
        "com.example.cafe",
        "CAFEXMPL01",
    ),
    others("/private/tmp/build/a \"b\" \u{fc}\n[1]", "a.out", ""),
    others("/opt/c++ tools/c++", "c++", ""),
];

/// The files that processes work with, and run as scripts.
pub const FILES: [&str; 20] = [
    "/Users/test/Library/LaunchAgents/com.example.agent.plist",
    "/Users/tester/Library/LaunchAgents/org.example.plist",
    "/Library/LaunchDaemons/com.example.daemon.plist",
    "/Users/test/Documents/\u{dc}bersicht.pdf",
    "/Users/test/Documents/U\u{308}bersicht 2.pdf",
    "/private/tmp/build/a.o",
    "/private/tmp/build/b.c",
    "/private/tmp/build",
    "/private/etc/hosts",
    "/private/var/db/x.db",
    "/System/Volumes/Data/Users/test/notes.txt",
    "/Users/test/src/main.rs",
    "/Users/test/src/deep/er/lib.rs",
    "/Users/tester/src/main.rs",
    "/Users/test/run.sh",
    "/usr/local/share/x",
    "/Users/test/quo\"te\n[1] \\ \u{1f389}.txt",
    "/Users/test/a*b",
    "/dev/null",
    "/System/Library/CoreServices/SystemVersion.plist",
];

/// The pids that are used and reused; a process of the test system hardly ever has one of them.
const PIDS: std::ops::Range<i32> = 99_300..99_345;
pub const DAEMON_PID: i32 = 99_100;
const TEST: u32 = 501;
/// The day on which the stream begins.
const DAY: &str = "2026-05-01";
/// The time when the stream begins, in nanoseconds of its day.
pub const BEGIN: u64 = 10 * 3600 * 1_000_000_000 + 1_234_567;

/// A process as a message shows it, and its real identity.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its number among all processes of the stream, since pids are reused.
    pub key: usize,
    pub pid: i32,
    /// Its current parent; launchd if the first one has exited.
    pub ppid: i32,
    /// The process that forked it.
    pub original_ppid: i32,
    /// The time of its fork, in microseconds of the day.
    pub start: u64,
    pub euid: u32,
    pub image: &'static Image,
    parent: usize,
    version: u32,
    parent_version: u32,
}

/// The other process that an event belongs to.
#[derive(Clone, Debug)]
pub enum Other {
    None,
    /// The child of a fork.
    Child(Process),
    /// The target image of an exec, and its script.
    Target(Process, Option<String>),
    /// The process on whose behalf the event happened.
    Instigator(Process),
    /// The same, with only the audit token present.
    Token(Process),
}

/// A message, and the parts that matter.
pub struct Message {
    /// `global_seq_num`, and `mach_time`, too.
    pub number: u64,
    /// Nanoseconds of the day.
    pub time: u64,
    pub event: &'static str,
    pub process: Process,
    pub other: Other,
    /// The files that the event is about.
    pub files: Vec<String>,
    /// True if it reports a failure.
    pub is_failure: bool,
    pub json: String,
}

/// A process of the stream.
struct Life {
    now: Process,
    has_exited: bool,
    /// True if an exec of it is lost, so that its token alone isn't recognised.
    has_lost_exec: bool,
    /// True if its token has been shown alone: after that, no exec of it is lost.
    is_token: bool,
}

/// The events of the processes.
pub struct Stream {
    pub messages: Vec<Message>,
    /// The seed that it was made of.
    pub seed: u64,
    lives: Vec<Life>,
    random: Random,
    time: u64,
    version: u32,
    number: u64,
    numbers: std::collections::HashMap<&'static str, u64>,
    /// True if messages are lost, mostly forks.
    loses: bool,
    /// True if `/` is written `\/`, as eslogger does, and other characters as escapes.
    escapes: bool,
}

impl Stream {
    /// Makes a stream of about this many messages.
    pub fn new(seed: u64, length: usize) -> Stream {
        let mut random = Random::new(seed);
        let (loses, escapes) = (random.percent(50), random.percent(50));
        let mut stream = Stream {
            messages: Vec::new(),
            seed,
            lives: Vec::new(),
            random,
            time: BEGIN,
            version: 1000,
            number: 0,
            numbers: std::collections::HashMap::new(),
            loses,
            escapes,
        };
        stream.begin();
        while stream.messages.len() < length {
            stream.step();
        }
        stream
    }

    /// The recording.
    pub fn lines(&self) -> String {
        let lines = self.messages.iter().map(|message| message.json.as_str());
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    /// Starts the processes that run when the stream begins.
    fn begin(&mut self) {
        self.start(0, 1, 0, &LAUNCHD);
        for (pid, daemon) in (DAEMON_PID..).zip(&DAEMONS) {
            self.start(0, pid, 0, daemon);
        }
        for pid in PIDS.take(6) {
            let parent = if pid < PIDS.start + 3 { 0 } else { 4 };
            let image = self.random.pick(&IMAGES);
            self.start(parent, pid, TEST, image);
        }
    }

    fn start(&mut self, parent: usize, pid: i32, euid: u32, image: &'static Image) {
        let key = self.lives.len();
        let original_ppid = if key == 0 {
            0
        } else {
            self.lives[parent].now.pid
        };
        self.version += 1;
        self.lives.push(Life {
            now: Process {
                key,
                parent,
                pid,
                original_ppid,
                start: BEGIN / 1000 - 1_000_000 + key as u64,
                euid,
                image,
                version: self.version,
                ppid: original_ppid,
                parent_version: 0,
            },
            has_exited: false,
            has_lost_exec: false,
            is_token: false,
        });
    }

    /// The process as a current message shows it.
    fn shown(&self, key: usize) -> Process {
        let parent = &self.lives[self.lives[key].now.parent].now;
        Process {
            ppid: if key == 0 { 0 } else { parent.pid },
            parent_version: parent.version,
            ..self.lives[key].now.clone()
        }
    }

    fn alive(&self) -> Vec<usize> {
        let alive = |key: &usize| !self.lives[*key].has_exited;
        (0..self.lives.len()).filter(alive).collect()
    }

    /// Picks a process that runs and is no daemon.
    fn any(&mut self) -> usize {
        let mut alive = self.alive();
        if alive.len() > 4 {
            alive.drain(..4);
        }
        *self.random.pick(&alive)
    }

    /// Makes the next event.
    fn step(&mut self) {
        self.time += match self.random.below(10) {
            0 => self.random.next() % 4_000_000_000,
            1..=4 => self.random.next() % 50_000_000,
            _ => 1_000 + self.random.next() % 100_000,
        };
        match self.random.below(100) {
            0..=17 => self.fork(),
            18..=31 => self.exec(),
            32..=41 => self.exit(),
            42..=46 => self.become_another(),
            47..=64 => self.work_with_a_file(),
            65..=79 => self.work_with_files(),
            80..=91 => self.act_for_another(),
            _ => self.do_something_else(),
        }
    }

    fn fork(&mut self) {
        let used: Vec<_> = self
            .alive()
            .iter()
            .map(|key| self.lives[*key].now.pid)
            .collect();
        let free: Vec<_> = PIDS.filter(|pid| !used.contains(pid)).collect();
        // launchd starts processes, too.
        let parent = if self.random.percent(15) {
            0
        } else {
            self.any()
        };
        if free.len() < 5 {
            return;
        }
        let pid = *self.random.pick(&free);
        let of = self.lives[parent].now.clone();
        let process = self.shown(parent);
        self.start(parent, pid, of.euid, of.image);
        let child = self.lives.len() - 1;
        self.lives[child].now.start = self.time / 1000;
        let shown = self.shown(child);
        let event = json!({"child": process_json(&shown)});
        let is_lost = self.loses && self.random.percent(30);
        self.message(
            "fork",
            process,
            Other::Child(shown),
            event,
            &[],
            false,
            is_lost,
        );
    }

    fn exec(&mut self) {
        let key = self.any();
        let process = self.shown(key);
        let image = self.random.pick(&IMAGES);
        let is_lost = self.loses && !self.lives[key].is_token && self.random.percent(10);
        self.version += 1;
        let life = &mut self.lives[key];
        life.has_lost_exec |= is_lost;
        life.now.version = self.version;
        life.now.image = image;
        let script = (image.path == SH.path && self.random.percent(60))
            .then(|| (*self.random.pick(&FILES)).to_owned());
        let cwd = *self
            .random
            .pick(&["/", "/Users/test", "/Users/test/src", "/private/tmp"]);
        let target = self.shown(key);
        let event = json!({
            "target": process_json(&target), "script": script.as_deref().map(file_json), "cwd": file_json(cwd),
            "args": [image.path, "--x"], "env": ["HOME=/Users/test"], "fds": [], "last_fd": 2,
            "dyld_exec_path": image.path, "image_cputype": 16_777_228, "image_cpusubtype": -2_147_483_646,
        });
        let mut files = vec![image.path, cwd];
        files.extend(script.as_deref());
        let files = files.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let other = Other::Target(target, script);
        self.message("exec", process, other, event, &files, false, is_lost);
    }

    fn exit(&mut self) {
        let key = self.any();
        if self.alive().len() < 12 {
            return;
        }
        let process = self.shown(key);
        let stat = *self.random.pick(&[0, 0, 256, 9, 139, 32512]);
        let is_lost = self.loses && self.random.percent(10);
        let event = json!({"stat": stat});
        self.message("exit", process, Other::None, event, &[], stat != 0, is_lost);
        self.lives[key].has_exited = true;
        for life in &mut self.lives {
            if life.now.parent == key && !life.has_exited {
                life.now.parent = 0;
            }
        }
    }

    fn become_another(&mut self) {
        let key = self.any();
        let process = self.shown(key);
        let euid = *self.random.pick(&[0, TEST, TEST, 502]);
        let (event, json) = if self.random.percent(50) {
            ("setuid", json!({"uid": euid}))
        } else {
            ("seteuid", json!({"euid": euid}))
        };
        self.lives[key].now.euid = euid;
        self.plain(event, process, json, &[]);
    }

    fn work_with_a_file(&mut self) {
        let path = (*self.random.pick(&FILES)).to_owned();
        let target = json!({"target": file_json(&path)});
        let with = |name: &str, value: Value| {
            let mut event = target.clone();
            event[name] = value;
            event
        };
        let (event, json) = match self.random.below(15) {
            0 | 1 => ("open", json!({"fflag": 1, "file": file_json(&path)})),
            2 => ("close", with("modified", true.into())),
            3 => ("write", target.clone()),
            4 => ("truncate", target.clone()),
            5 => ("stat", target.clone()),
            6 => ("readdir", target.clone()),
            7 => ("setmode", with("mode", 0o644.into())),
            8 => ("setextattr", with("extattr", "com.apple.quarantine".into())),
            9 => ("deleteextattr", with("extattr", "x".into())),
            10 => (
                "setowner",
                json!({"uid": 0, "gid": 0, "target": file_json(&path)}),
            ),
            11 => ("chdir", target.clone()),
            12 => ("access", with("mode", 4.into())),
            13 => (
                "mmap",
                json!({"protection": 5, "max_protection": 7, "flags": 2, "file_pos": 0, "source": file_json(&path)}),
            ),
            _ => ("readlink", json!({"source": file_json(&path)})),
        };
        let process = self.any();
        let process = self.shown(process);
        self.plain(event, process, json, &[path]);
    }

    fn work_with_files(&mut self) {
        let one = (*self.random.pick(&FILES)).to_owned();
        let two = (*self.random.pick(&FILES)).to_owned();
        let (directory, name) = two.rsplit_once('/').expect("it is absolute");
        let (directory, name) = (file_json(directory), name.to_owned());
        let exists = self.random.percent(50);
        let destination = if exists {
            json!({"existing_file": file_json(&two)})
        } else {
            json!({"new_path": {"dir": directory, "filename": name}})
        };
        let both = [one.clone(), two.clone()];
        let second = [two.clone()];
        let (event, json, files) = match self.random.below(10) {
            0 => {
                let mut destination = destination;
                if !exists {
                    destination["new_path"]["mode"] = 0o100_644.into();
                }
                let event = json!({"destination_type": u8::from(!exists), "destination": destination, "acl": null});
                ("create", event, &second[..])
            }
            1 => {
                let event = json!({
                    "source": file_json(&one), "destination_type": u8::from(!exists), "destination": destination,
                });
                ("rename", event, &both[..])
            }
            2 => {
                let event = json!({"source": file_json(&one), "target_dir": directory, "target_filename": name});
                ("link", event, &both[..])
            }
            3 => {
                let event = json!({"source": file_json(&one), "target_dir": directory, "target_name": name});
                ("clone", event, &both[..])
            }
            4 => {
                let event = json!({
                    "source": file_json(&one), "target_file": exists.then(|| file_json(&two)),
                    "target_dir": directory, "target_name": name, "mode": 0o100_644, "flags": 1,
                });
                ("copyfile", event, &both[..])
            }
            5 => (
                "exchangedata",
                json!({"file1": file_json(&one), "file2": file_json(&two)}),
                &both[..],
            ),
            6 => (
                "unlink",
                json!({"target": file_json(&two), "parent_dir": directory}),
                &second[..],
            ),
            7 => (
                "lookup",
                json!({"source_dir": directory, "relative_target": name}),
                &second[..],
            ),
            8 => (
                "uipc_bind",
                json!({"dir": directory, "filename": name, "mode": 0o140_644}),
                &second[..],
            ),
            _ => (
                "file_provider_update",
                json!({"source": file_json(&one), "target_path": two}),
                &both[..],
            ),
        };
        let process = self.any();
        let process = self.shown(process);
        self.plain(event, process, json, files);
    }

    /// A daemon does something on behalf of a process, which may have exited meanwhile.
    fn act_for_another(&mut self) {
        let on_behalf = self.on_whose_behalf();
        let daemon = if self.random.percent(20) {
            self.any()
        } else {
            1 + self.random.below(3)
        };
        let process = self.shown(daemon);
        let shown = self.shown(on_behalf);
        let is_known = !self.lives[on_behalf].has_exited && self.random.percent(70)
            || self.lives[on_behalf].has_lost_exec;
        let file = (*self.random.pick(&FILES)).to_owned();
        let code = *self.random.pick(&[0, 0, 4001]);
        let token = token_json(&shown);
        let instigator = if is_known {
            process_json(&shown)
        } else {
            Value::Null
        };
        let (event, mut json, files, is_failure) = match self.random.below(7) {
            0 | 1 => (
                "od_create_user",
                json!({"error_code": code, "user_name": "new", "node_name": "/Local/Default", "db_path": "/var/db/x"}),
                vec![],
                code != 0,
            ),
            2 => (
                "btm_launch_item_add",
                json!({
                    "app": null, "app_token": null, "executable_path": file,
                    "item": {"item_type": 3, "legacy": false, "managed": false, "uid": 501, "item_url": "", "app_url": ""},
                }),
                vec![file],
                false,
            ),
            3 => (
                "tcc_modify",
                json!({
                    "service": "SystemPolicyAllFiles", "identity": "com.example.lumen", "identity_type": 0,
                    "update_type": 1, "right": 2, "reason": 3, "responsible": null, "responsible_token": null,
                }),
                vec![],
                false,
            ),
            4 => (
                "bootstrap_look_up",
                json!({
                    "service_name": "com.example.gone", "target_type": 1,
                    "target": {"job": {"job_label": "com.example.gone", "lwcr": null}},
                }),
                vec![],
                false,
            ),
            5 => (
                "file_provider_materialize",
                json!({"source": file_json("/private/var/staged"), "target": file_json(&file)}),
                vec!["/private/var/staged".to_owned(), file],
                false,
            ),
            _ => (
                "authentication",
                json!({"type": 0, "success": code == 0}),
                vec![],
                code != 0,
            ),
        };
        let both = json!({"instigator": instigator, "instigator_token": token});
        if event == "authentication" {
            json["data"] = json!({"od": {
                "instigator": both["instigator"], "instigator_token": both["instigator_token"],
                "record_type": "dsRecTypeStandard:Users", "record_name": "test", "node_name": "/Local/Default",
                "db_path": null,
            }});
        } else {
            json["instigator"] = both["instigator"].clone();
            json["instigator_token"] = both["instigator_token"].clone();
        }
        self.lives[on_behalf].is_token |= !is_known;
        let other = if is_known {
            Other::Instigator(shown)
        } else {
            Other::Token(shown)
        };
        self.message(event, process, other, json, &files, is_failure, false);
    }

    /// Picks a process that runs, or one that has exited and whose number hasn't been reused.
    fn on_whose_behalf(&mut self) -> usize {
        let is_last = |key: &usize| {
            let pid = self.lives[*key].now.pid;
            self.lives.iter().rposition(|life| life.now.pid == pid) == Some(*key)
        };
        let exited = |key: &usize| self.lives[*key].has_exited && !self.lives[*key].has_lost_exec;
        let exited: Vec<_> = (0..self.lives.len())
            .filter(exited)
            .filter(is_last)
            .collect();
        if exited.is_empty() || self.random.percent(80) {
            self.any()
        } else {
            *self.random.pick(&exited)
        }
    }

    fn do_something_else(&mut self) {
        let (key, target) = (self.any(), self.any());
        let (process, target) = (self.shown(key), self.shown(target));
        let success = self.random.percent(50);
        let (event, json, is_failure) = match self.random.below(6) {
            0 => (
                "mprotect",
                json!({"protection": 1, "address": 4096, "size": 4096}),
                false,
            ),
            1 => (
                "get_task",
                json!({"target": process_json(&target), "type": 0}),
                false,
            ),
            2 => (
                "sudo",
                json!({
                    "success": success, "reject_info": null, "from_uid": 501, "from_username": "test", "to_uid": 0,
                    "to_username": "root", "command": "/bin/ls",
                }),
                !success,
            ),
            3 => (
                "openssh_login",
                json!({
                    "success": success, "result_type": if success { 2 } else { 4 }, "source_address_type": 1,
                    "source_address": "192.0.2.44", "username": "test", "uid": 501,
                }),
                !success,
            ),
            4 => {
                let other = self.any();
                let instigator = self.shown(other);
                let json = json!({
                    "sig": 15, "target": process_json(&target), "instigator": process_json(&instigator),
                });
                return self.message(
                    "signal",
                    process,
                    Other::Instigator(instigator),
                    json,
                    &[],
                    false,
                    false,
                );
            }
            _ => ("pty_grant", json!({"dev": 268_435_459}), false),
        };
        self.message(event, process, Other::None, json, &[], is_failure, false);
    }

    fn plain(&mut self, event: &'static str, process: Process, json: Value, files: &[String]) {
        let is_lost = self.loses && self.random.percent(5);
        self.message(event, process, Other::None, json, files, false, is_lost);
    }

    #[expect(clippy::too_many_arguments, reason = "a message has many parts")]
    fn message(
        &mut self,
        event: &'static str,
        process: Process,
        other: Other,
        members: Value,
        files: &[String],
        is_failure: bool,
        is_lost: bool,
    ) {
        let number = self.number;
        self.number += 1;
        let of_type = self.numbers.entry(event).or_default();
        let seq_num = *of_type;
        *of_type += 1;
        if is_lost {
            return;
        }
        let (event_type, _) = EVENTS
            .iter()
            .find(|(_, name)| *name == event)
            .expect("it is in the table");
        // The decision: most actions are allowed.
        let (result, is_denied) = match (event, self.random.below(20)) {
            ("open", 0) => (json!({"result_type": 1, "result": {"flags": 2}}), true),
            ("open", 1) => (json!({"result_type": 1, "result": {"flags": 3}}), false),
            ("open", _) => (
                json!({"result_type": 1, "result": {"flags": u32::MAX}}),
                false,
            ),
            ("fork" | "exec" | "exit", _) | (_, 1..) => {
                (json!({"result_type": 0, "result": {"auth": 0}}), false)
            }
            _ => (json!({"result_type": 0, "result": {"auth": 1}}), true),
        };
        let message = json!({
            "schema_version": 1, "version": 10, "time": time_text(self.time, 1), "mach_time": number,
            "event_type": event_type, "action_type": 1, "seq_num": seq_num, "global_seq_num": number,
            "action": {"result": result}, "thread": {"thread_id": 7},
            "process": process_json(&process), "event": Value::Object(std::iter::once((event.to_owned(), members)).collect()),
        });
        let mut json = message.to_string();
        if self.escapes {
            json = json
                .replace('/', "\\/")
                .replace('\u{fc}', "\\u00fc")
                .replace('+', "\\u002B");
        }
        self.messages.push(Message {
            number,
            time: self.time,
            event,
            process,
            other,
            files: files.to_vec(),
            is_failure: is_failure || is_denied,
            json,
        });
    }
}

/// The events of streams, by their `es_event_type_t`.
pub const EVENTS: [(u32, &str); 41] = [
    (9, "exec"),
    (10, "open"),
    (11, "fork"),
    (12, "close"),
    (13, "create"),
    (14, "exchangedata"),
    (15, "exit"),
    (16, "get_task"),
    (19, "link"),
    (20, "mmap"),
    (21, "mprotect"),
    (25, "rename"),
    (27, "setextattr"),
    (29, "setmode"),
    (30, "setowner"),
    (31, "signal"),
    (32, "unlink"),
    (33, "write"),
    (35, "file_provider_materialize"),
    (37, "file_provider_update"),
    (39, "readlink"),
    (41, "truncate"),
    (43, "lookup"),
    (51, "chdir"),
    (54, "stat"),
    (55, "access"),
    (61, "clone"),
    (68, "readdir"),
    (70, "deleteextattr"),
    (76, "uipc_bind"),
    (83, "pty_grant"),
    (103, "setuid"),
    (105, "seteuid"),
    (110, "copyfile"),
    (111, "authentication"),
    (120, "openssh_login"),
    (124, "btm_launch_item_add"),
    (131, "sudo"),
    (141, "od_create_user"),
    (147, "tcc_modify"),
    (161, "bootstrap_look_up"),
];

/// `YYYY-MM-DDTHH:MM:SS.f…Z` of a time of day, in units of this many nanoseconds.
fn time_text(time: u64, unit: u64) -> String {
    let per_second = 1_000_000_000 / unit;
    let (seconds, fraction) = (time / per_second, time % per_second);
    let digits = if unit == 1 { 9 } else { 6 };
    format!("{DAY}T{}.{fraction:0digits$}Z", clock(seconds))
}

/// `HH:MM:SS`
pub fn clock(seconds: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The date of the stream.
pub fn day() -> &'static str {
    DAY
}

fn file_json(path: &str) -> Value {
    let path = if path.is_empty() { "/" } else { path };
    json!({"path": path, "path_truncated": false})
}

fn token_json(process: &Process) -> Value {
    json!({
        "auid": 501, "euid": process.euid, "egid": 20, "ruid": TEST, "rgid": 20, "pid": process.pid, "asid": 100_010,
        "pidversion": process.version,
    })
}

fn process_json(process: &Process) -> Value {
    let image = process.image;
    let parent = json!({
        "auid": 501, "euid": 0, "egid": 0, "ruid": 0, "rgid": 0, "pid": process.ppid, "asid": 100_010,
        "pidversion": process.parent_version,
    });
    json!({
        "audit_token": token_json(process), "ppid": process.ppid, "original_ppid": process.original_ppid,
        // No process of a Mac has these numbers, so it can't be in the group of a test.
        "group_id": 8_000_000, "session_id": 8_000_000, "codesigning_flags": 570_425_345,
        "is_platform_binary": image.is_platform, "is_es_client": false,
        "cdhash": "0000000000000000000000000000000000000000", "signing_id": image.signing_id,
        "team_id": (!image.team.is_empty()).then_some(image.team), "executable": file_json(image.path), "tty": null,
        "start_time": time_text(process.start, 1000), "responsible_audit_token": parent,
        "parent_audit_token": parent, "cs_validation_category": 1,
    })
}
