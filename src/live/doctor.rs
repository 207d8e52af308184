//! `--doctor`: checks what a live trace needs, and prints how to fix what is missing.

use std::fmt::Write as _;

use crate::exit::Exit;
use crate::model::catalogue::{MacOs, OLDEST};
use crate::source::refusal::{Refusal, Surroundings};

/// All bits that csrutil(8) clears to turn System Integrity Protection off.
const SIP_OFF: u32 = 0x7f;

/// Findings about the Mac and this process.
#[derive(Debug)]
pub struct Findings {
    /// The running macOS.
    pub macos: Option<MacOs>,
    /// True if the process runs as root.
    pub root: bool,
    /// True if the program has the entitlement; None if macOS doesn't say.
    pub entitled: Option<bool>,
    /// The outcome of the attempt to make a client.
    pub client: Result<(), Refusal>,
    /// True if the process may read what needs Full Disk Access; None if that can't be determined.
    pub full_disk: Option<bool>,
    /// True if `/usr/bin/eslogger` is there.
    pub eslogger: bool,
    /// The configuration of System Integrity Protection: a bit for each part that is off.
    pub sip: Option<u32>,
    /// The surroundings of the program.
    pub surroundings: Surroundings,
}

/// The state of a requirement.
enum State {
    Ok(String),
    Missing(String),
    Unknown(&'static str),
}

impl Findings {
    /// A line for each requirement, the conclusion, and the exit status: 0 if a live trace works.
    pub fn report(&self) -> (String, Exit) {
        let mut out = String::new();
        for (name, state) in self.states() {
            let line = match state {
                State::Ok(detail) if detail.is_empty() => "ok".to_owned(),
                State::Ok(detail) => format!("ok: {detail}"),
                State::Missing(fix) => format!("missing: {fix}"),
                State::Unknown(why) => format!("unknown: {why}"),
            };
            let mut lines = line.lines();
            // Writing to a string can't fail.
            let _ = writeln!(out, "{name:<28}{}", lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(out, "{:<28}{line}", "");
            }
        }
        let (conclusion, exit) = self.conclusion();
        let _ = writeln!(out, "\n{conclusion}");
        (out, exit)
    }

    /// The state of a requirement. If it isn't met, this includes how to fix it.
    fn state(&self, is_met: bool, refusal: &Refusal) -> State {
        if is_met {
            State::Ok(String::new())
        } else {
            State::Missing(refusal.advice(&self.surroundings).into_owned())
        }
    }

    fn states(&self) -> [(&'static str, State); 7] {
        let macos = match self.macos {
            Some(version) if version >= OLDEST => State::Ok(version.to_string()),
            Some(version) => {
                State::Missing(format!("this is {version}; {OLDEST} or later is needed"))
            }
            None => State::Unknown("macOS doesn't report its version"),
        };
        let entitlement = match (self.entitled, &self.client) {
            (_, Ok(())) => self.state(true, &Refusal::NotEntitled),
            (_, Err(Refusal::NotEntitled)) => self.state(false, &Refusal::NotEntitled),
            (Some(entitled), _) => self.state(entitled, &Refusal::NotEntitled),
            (None, _) => State::Unknown("macOS doesn't show the signature"),
        };
        let full_disk = match (&self.client, self.full_disk) {
            (Ok(()), _) => self.state(true, &Refusal::NotPermitted),
            (Err(Refusal::NotPermitted), _) if self.entitled != Some(false) => {
                self.state(false, &Refusal::NotPermitted)
            }
            (_, Some(is_there)) => self.state(is_there, &Refusal::NotPermitted),
            (_, None) => State::Unknown("run it with sudo to check"),
        };
        let client = match &self.client {
            Ok(()) => State::Ok("created".to_owned()),
            Err(Refusal::TooManyClients) => self.state(false, &Refusal::TooManyClients),
            Err(Refusal::Other(reason)) => State::Missing(reason.clone()),
            Err(_) => State::Unknown("something above is missing"),
        };
        let eslogger = if self.eslogger {
            State::Ok("/usr/bin/eslogger".to_owned())
        } else {
            State::Missing("it is part of macOS 13 and later".to_owned())
        };
        let sip = match self.sip {
            Some(0) => State::Ok("on".to_owned()),
            Some(config) if config & SIP_OFF == SIP_OFF => State::Ok("off".to_owned()),
            Some(config) => State::Ok(format!("partly off ({config:#x})")),
            None => State::Unknown("macOS doesn't report it"),
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
        match &self.client {
            Ok(()) => (
                "Live traces work, with EndpointSecurity directly: sudo proctracer -e exec,open",
                Exit::Done,
            ),
            Err(refusal)
                if self.root
                    && self.eslogger
                    && self.full_disk != Some(false)
                    && refusal.leaves_eslogger(self.entitled) =>
            {
                (
                    "Live traces work, through eslogger: sudo proctracer -e exec,open",
                    Exit::Done,
                )
            }
            Err(refusal) => (
                "Live traces don't work until what is missing is fixed. Recordings do: proctracer -r FILE",
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
            entitled: Some(client.is_ok()),
            client,
            full_disk: Some(true),
            eslogger: true,
            sip: Some(0),
            surroundings: Surroundings::default(),
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
             client                      ok: created\n\
             eslogger                    ok: /usr/bin/eslogger\n\
             System Integrity Protection ok: on\n\
             \n\
             Live traces work, with EndpointSecurity directly: sudo proctracer -e exec,open\n"
        );
        assert_eq!(exit, Exit::Done);
    }

    #[test]
    fn what_is_missing_is_reported_with_its_fix() {
        let report = |client, change: fn(&mut Findings)| {
            let mut findings = findings(client);
            change(&mut findings);
            findings.report()
        };
        let has = |text: &str, line: &str| assert!(text.contains(line), "{text}");
        let (text, exit) = report(Err(Refusal::NotEntitled), |_| {});
        has(
            &text,
            "entitlement                 missing: this copy is not",
        );
        assert!(text.ends_with("through eslogger: sudo proctracer -e exec,open\n"));
        assert_eq!(exit, Exit::Done);
        let (text, exit) = report(Err(Refusal::NotEntitled), |findings| {
            findings.full_disk = Some(false)
        });
        has(
            &text,
            "Full Disk Access            missing: a live trace needs Full Disk Access",
        );
        has(
            &text,
            "\n                            to open the pane: open",
        );
        has(&text, "don't work until what is missing is fixed");
        assert_ne!(exit, Exit::Done);
        let (text, _) = report(Err(Refusal::NotPrivileged), |findings| {
            findings.root = false;
            findings.full_disk = None;
            findings.entitled = None;
        });
        has(
            &text,
            "root                        missing: a live trace needs root: use sudo",
        );
        has(
            &text,
            "Full Disk Access            unknown: run it with sudo",
        );
        let (text, _) = report(Err(Refusal::TooManyClients), |_| {});
        has(
            &text,
            "client                      missing: EndpointSecurity has no room",
        );
        let (text, exit) = report(Err(Refusal::Other("x (2)".to_owned())), |findings| {
            findings.eslogger = false;
            findings.macos = Some(MacOs(12, 6, 1));
            findings.sip = Some(0x77);
        });
        has(
            &text,
            "macOS                       missing: this is 12.6.1; 13.0 or later",
        );
        has(&text, "client                      missing: x (2)");
        has(&text, "eslogger                    missing: it is part of");
        has(&text, "System Integrity Protection ok: partly off (0x77)");
        assert_eq!(exit, Exit::Failed);
    }

    #[test]
    fn a_copy_that_is_not_entitled_may_be_refused_for_anything() {
        for refusal in [Refusal::NotPermitted, Refusal::Other("y".to_owned())] {
            let (text, exit) = findings(Err(refusal)).report();
            assert!(
                text.contains("entitlement                 missing"),
                "{text}"
            );
            assert!(text.contains("Full Disk Access            ok"), "{text}");
            assert_eq!(exit, Exit::Done);
        }
        let mut all_off = findings(Ok(()));
        all_off.sip = Some(0x7f);
        assert!(all_off.report().0.contains("Protection ok: off\n"));
    }
}
