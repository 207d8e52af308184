//! Messages made for a test, with only the members that the test is about.

use serde_json::{Value, json};

/// A process of a message: its pid, its `pidversion`, its start, its parent, its executable.
#[derive(Clone, Debug)]
pub struct Actor {
    pub pid: i32,
    pub version: i64,
    pub start: Option<String>,
    pub ppid: i32,
    pub image: String,
    pub euid: u32,
    pub team: Option<String>,
    pub responsible: Option<i32>,
}

/// The process `pid` that started at this second of the story.
pub fn actor(pid: i32, start: u32, parent: i32, image: &str) -> Actor {
    Actor {
        pid,
        version: i64::from(pid) * 10,
        start: Some(time(start)),
        ppid: parent,
        image: image.to_owned(),
        euid: 501,
        team: None,
        responsible: None,
    }
}

/// The time this many seconds after noon.
pub fn time(second: u32) -> String {
    let (hour, minute, second) = (12 + second / 3600, second / 60 % 60, second % 60);
    format!("2026-03-14T{hour:02}:{minute:02}:{second:02}.000000000Z")
}

impl Actor {
    /// The same process with another image.
    pub fn became(&self, image: &str) -> Actor {
        Actor {
            version: self.version + 1,
            image: image.to_owned(),
            ..self.clone()
        }
    }

    pub fn json(&self) -> Value {
        let mut process = json!({
            "audit_token": {"pid": self.pid, "pidversion": self.version, "euid": self.euid},
            "ppid": self.ppid,
            "original_ppid": self.ppid,
            "executable": {"path": self.image, "path_truncated": false},
        });
        if let Some(start) = &self.start {
            process["start_time"] = json!(start);
        }
        if let Some(team) = &self.team {
            process["team_id"] = json!(team);
        }
        if let Some(pid) = self.responsible {
            process["responsible_audit_token"] = json!({"pid": pid, "pidversion": 1});
        }
        process
    }

    /// A message of an event of this process, at this second of the story.
    pub fn did(&self, second: u32, event: &Value) -> String {
        line(&json!({"time": time(second), "process": self.json(), "event": event}))
    }

    pub fn opened(&self, second: u32, path: &str) -> String {
        self.did(second, &open(path))
    }

    pub fn forked(&self, second: u32, child: &Actor) -> String {
        self.did(second, &json!({"fork": {"child": child.json()}}))
    }

    pub fn executed(&self, second: u32, target: &Actor, args: &[&str]) -> String {
        self.executed_in(second, target, args, &[])
    }

    pub fn executed_in(&self, second: u32, target: &Actor, args: &[&str], env: &[&str]) -> String {
        self.did(
            second,
            &json!({"exec": {"target": target.json(), "args": args, "env": env}}),
        )
    }

    pub fn exited(&self, second: u32, status: i32) -> String {
        self.did(second, &json!({"exit": {"stat": status}}))
    }
}

pub fn open(path: &str) -> Value {
    json!({"open": {"fflag": 1, "file": {"path": path, "path_truncated": false}}})
}

/// A message as a line.
pub fn line(message: &Value) -> String {
    message.to_string() + "\n"
}
