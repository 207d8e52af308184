//! `--doctor`: what a live trace takes, what of it is there, and how to mend the rest.

use std::fmt::Write as _;

use crate::exit::Exit;
use crate::model::catalogue::{MacOs, OLDEST};
use crate::source::refusal::Refusal;

/// What was found out about the Mac and this process.
#[derive(Debug)]
pub struct Findings {
    /// The running macOS.
    pub macos: Option<MacOs>,
    /// Whether the process runs as root.
    pub root: bool,
    /// What came of the attempt to make a client.
    pub client: Result<(), Refusal>,
    /// Whether the process may read what takes Full Disk Access; None where that can't be told.
    pub full_disk: Option<bool>,
    /// Whether `/usr/bin/eslogger` is there.
    pub eslogger: bool,
    /// Whether System Integrity Protection is on.
    pub sip: Option<bool>,
    /// The app that macOS asks permissions of.
    pub app: Option<String>,
}

/// What is to be said of a requirement.
enum State {
    Ok(String),
    Missing(String),
    Unknown(&'static str),
}

impl Findings {
    /// A line for each requirement, what follows from them, and the exit status: 0 if a live trace works.
    pub fn report(&self) -> (String, Exit) {
        let mut out = String::new();
        for (name, state) in self.states() {
            let line = match state {
                State::Ok(what) if what.is_empty() => "ok".to_owned(),
                State::Ok(what) => format!("ok: {what}"),
                State::Missing(mend) => format!("missing: {mend}"),
                State::Unknown(why) => format!("not known: {why}"),
            };
            // Writing to a string can't fail.
            let _ = writeln!(out, "{name:<28}{line}");
        }
        let (conclusion, exit) = self.conclusion();
        let _ = writeln!(out, "\n{conclusion}");
        (out, exit)
    }

    /// What is to be said of a requirement: how to mend it, if it isn't there.
    fn state(&self, is_there: bool, refusal: &Refusal) -> State {
        if is_there {
            State::Ok(String::new())
        } else {
            State::Missing(refusal.mend(self.app.as_deref()).into_owned())
        }
    }

    fn states(&self) -> [(&'static str, State); 7] {
        let macos = match self.macos {
            Some(version) if version >= OLDEST => State::Ok(version.to_string()),
            Some(version) => {
                State::Missing(format!("this is {version}; {OLDEST} or later is needed"))
            }
            None => State::Unknown("macOS doesn't tell its version"),
        };
        let entitlement = match &self.client {
            Err(Refusal::NotEntitled) => self.state(false, &Refusal::NotEntitled),
            Ok(()) | Err(Refusal::NotPermitted | Refusal::TooManyClients) => {
                self.state(true, &Refusal::NotEntitled)
            }
            Err(_) => State::Unknown("macOS refuses before it looks at it"),
        };
        let full_disk = match (&self.client, self.full_disk) {
            (Ok(()), _) => self.state(true, &Refusal::NotPermitted),
            (Err(Refusal::NotPermitted), _) => self.state(false, &Refusal::NotPermitted),
            (_, Some(is_there)) => self.state(is_there, &Refusal::NotPermitted),
            (_, None) => State::Unknown("macOS doesn't tell before the above is there"),
        };
        let client = match &self.client {
            Ok(()) => State::Ok("macOS has made one".to_owned()),
            Err(Refusal::TooManyClients) => self.state(false, &Refusal::TooManyClients),
            Err(Refusal::Other(reason)) => State::Missing(reason.clone()),
            Err(_) => State::Unknown("macOS refuses one for want of the above"),
        };
        let eslogger = if self.eslogger {
            State::Ok("/usr/bin/eslogger".to_owned())
        } else {
            State::Missing("it comes with macOS 13 and later".to_owned())
        };
        let sip = match self.sip {
            Some(true) => State::Ok(
                "on, as it should be; a copy without the entitlement can't be a client".to_owned(),
            ),
            Some(false) => State::Ok("off".to_owned()),
            None => State::Unknown("macOS doesn't tell"),
        };
        [
            ("macOS", macos),
            ("root", self.state(self.root, &Refusal::NotPrivileged)),
            ("entitlement", entitlement),
            ("Full Disk Access", full_disk),
            ("client", client),
            ("eslogger", eslogger),
            ("System Integrity Protection", sip),
        ]
    }

    fn conclusion(&self) -> (&'static str, Exit) {
        let by_eslogger = self.root && self.eslogger && self.full_disk != Some(false);
        match &self.client {
            Ok(()) => (
                "A live trace works, natively: sudo proctracer -e exec,open",
                Exit::Done,
            ),
            Err(Refusal::NotEntitled) if by_eslogger => (
                "A live trace works, through eslogger: sudo proctracer -e exec,open",
                Exit::Done,
            ),
            Err(refusal) => (
                "A live trace doesn't work until what is missing is mended. Recordings can be read: proctracer -r FILE",
                refusal.exit(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(client: Result<(), Refusal>) -> Findings {
        Findings {
            macos: Some(MacOs(15, 4, 0)),
            root: true,
            client,
            full_disk: Some(true),
            eslogger: true,
            sip: Some(true),
            app: None,
        }
    }

    #[test]
    fn each_requirement_has_a_line() {
        let (report, exit) = findings(Ok(())).report();
        assert_eq!(
            report,
            "macOS                       ok: 15.4\n\
             root                        ok\n\
             entitlement                 ok\n\
             Full Disk Access            ok\n\
             client                      ok: macOS has made one\n\
             eslogger                    ok: /usr/bin/eslogger\n\
             System Integrity Protection ok: on, as it should be; a copy without the entitlement can't be a client\n\
             \n\
             A live trace works, natively: sudo proctracer -e exec,open\n"
        );
        assert_eq!(exit, Exit::Done);
    }

    #[test]
    fn what_is_missing_is_told_with_the_mend() {
        let report = |client, change: fn(&mut Findings)| {
            let mut findings = findings(client);
            change(&mut findings);
            findings.report()
        };
        let (text, exit) = report(Err(Refusal::NotEntitled), |_| {});
        assert!(
            text.contains("entitlement                 missing: macOS lets only programs with")
        );
        assert!(text.ends_with("through eslogger: sudo proctracer -e exec,open\n"));
        assert_eq!(exit, Exit::Done);
        let (text, exit) = report(Err(Refusal::NotEntitled), |findings| {
            findings.full_disk = Some(false)
        });
        assert!(
            text.contains(
                "Full Disk Access            missing: a live trace takes Full Disk Access"
            )
        );
        assert!(text.contains("doesn't work until what is missing is mended"));
        assert_ne!(exit, Exit::Done);
        let (text, _) = report(Err(Refusal::NotPrivileged), |findings| {
            findings.root = false;
            findings.full_disk = None;
        });
        assert!(
            text.contains("root                        missing: a live trace takes root: use sudo")
        );
        assert!(text.contains(
            "Full Disk Access            not known: macOS doesn't tell before the above is there"
        ));
        let (text, _) = report(Err(Refusal::TooManyClients), |_| {});
        assert!(
            text.contains("client                      missing: macOS already has as many clients")
        );
        let (text, _) = report(Err(Refusal::Other("why".to_owned())), |findings| {
            findings.macos = None
        });
        assert!(text.contains("client                      missing: why"));
    }
}
