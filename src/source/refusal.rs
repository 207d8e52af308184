//! The reasons why macOS refuses a live trace, and what to do about them: the same words for every source.

use std::borrow::Cow;

use crate::exit::Exit;

/// The reason why macOS refuses a live trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The program doesn't run as root.
    NotPrivileged,
    /// The program isn't entitled.
    NotEntitled,
    /// The user hasn't allowed the program, or the app that it runs in, to see everything.
    NotPermitted,
    /// There is no room for another client.
    TooManyClients,
    /// The running macOS has none of the selected events.
    NoEvents,
    /// Anything else, in words.
    Other(String),
}

/// The surroundings of the program, as far as advice depends on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The app whose permissions macOS checks for this process.
    pub app: Option<String>,
    /// True if it runs in a login over SSH.
    pub ssh: bool,
    /// True if it runs in tmux.
    pub tmux: bool,
}

/// eslogger's names for the results of `es_new_client` (`es_new_client_result_t`, `<EndpointSecurity/ESTypes.h>`).
const NAMES: [(&str, Refusal); 4] = [
    (
        "ES_NEW_CLIENT_RESULT_ERR_NOT_ENTITLED",
        Refusal::NotEntitled,
    ),
    (
        "ES_NEW_CLIENT_RESULT_ERR_NOT_PERMITTED",
        Refusal::NotPermitted,
    ),
    (
        "ES_NEW_CLIENT_RESULT_ERR_NOT_PRIVILEGED",
        Refusal::NotPrivileged,
    ),
    (
        "ES_NEW_CLIENT_RESULT_ERR_TOO_MANY_CLIENTS",
        Refusal::TooManyClients,
    ),
];

impl Refusal {
    /// The refusal that corresponds to a result of `es_new_client` other than success.
    pub fn of_new_client(result: u32) -> Refusal {
        match result {
            3 => Refusal::NotEntitled,
            4 => Refusal::NotPermitted,
            5 => Refusal::NotPrivileged,
            6 => Refusal::TooManyClients,
            1 => Refusal::Other("EndpointSecurity: invalid argument (1)".to_owned()),
            2 => Refusal::Other("EndpointSecurity: internal error (2)".to_owned()),
            other => Refusal::Other(format!("EndpointSecurity refused a client: {other}")),
        }
    }

    /// The refusal that a line of eslogger's standard error reports, if any.
    pub fn said(text: &str) -> Option<Refusal> {
        let said = |(name, _): &&(&str, Refusal)| text.contains(name);
        NAMES.iter().find(said).map(|(_, refusal)| refusal.clone())
    }

    /// The exit status for this refusal.
    pub fn exit(&self) -> Exit {
        match self {
            Refusal::NoEvents | Refusal::Other(_) => Exit::Failed,
            _ => Exit::NotPermitted,
        }
    }

    /// Returns true if eslogger can work although this program got this refusal. `entitled` is true if this program is
    /// entitled, None if that isn't known.
    #[cfg(any(target_os = "macos", test))]
    pub fn leaves_eslogger(&self, entitled: Option<bool>) -> bool {
        match self {
            Refusal::NotEntitled | Refusal::Other(_) => true,
            // What an entitled program lacks, eslogger would lack, too.
            Refusal::NotPermitted | Refusal::NotPrivileged => entitled == Some(false),
            Refusal::TooManyClients | Refusal::NoEvents => false,
        }
    }

    /// The reason of the refusal, and how to fix it.
    pub fn advice(&self, surroundings: &Surroundings) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Refusal::NotPrivileged => "a live trace needs root: use sudo",
            Refusal::NotEntitled => {
                "this copy is not entitled to use EndpointSecurity directly \
                 (com.apple.developer.endpoint-security.client, which Apple grants to developers); use --source eslogger"
            }
            Refusal::NotPermitted => return Cow::Owned(full_disk_access(surroundings)),
            Refusal::TooManyClients => {
                "EndpointSecurity has no room for another client: quit another program that monitors this Mac"
            }
            Refusal::NoEvents => "this macOS has none of the selected events",
            Refusal::Other(reason) => reason,
        })
    }
}

/// Advice on Full Disk Access.
fn full_disk_access(surroundings: &Surroundings) -> String {
    let Surroundings { app, ssh, tmux } = surroundings;
    let mut advice = if *ssh {
        "a live trace over SSH needs Full Disk Access: turn on System Settings > General > Sharing > \
         Remote Login (i) > \"Allow full disk access for remote users\", then log in again"
            .to_owned()
    } else {
        let app = app.as_deref().unwrap_or("the app that runs it");
        format!(
            "a live trace needs Full Disk Access for {app}: turn it on in System Settings > \
             Privacy & Security > Full Disk Access, then restart the app"
        )
    };
    if *tmux {
        advice.push_str("; in tmux, end its server, too: tmux kill-server");
    }
    if !*ssh {
        advice.push_str(
            "\nto open the pane: open \
             'x-apple.systempreferences:com.apple.settings.PrivacySecurity.extension?Privacy_AllFiles'",
        );
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_the_same_whichever_source_it_met() {
        for (result, name) in [
            (3, "ES_NEW_CLIENT_RESULT_ERR_NOT_ENTITLED"),
            (4, "ES_NEW_CLIENT_RESULT_ERR_NOT_PERMITTED"),
            (5, "ES_NEW_CLIENT_RESULT_ERR_NOT_PRIVILEGED"),
            (6, "ES_NEW_CLIENT_RESULT_ERR_TOO_MANY_CLIENTS"),
        ] {
            let said = format!("eslogger: Failed to create client: {name}\n");
            assert_eq!(
                Refusal::said(&said),
                Some(Refusal::of_new_client(result)),
                "{name}"
            );
        }
        assert_eq!(Refusal::said("eslogger: unknown event"), None);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let none = Surroundings::default();
        for (result, words) in [
            (2, "internal error (2)"),
            (3, "com.apple.developer.endpoint-security.client"),
            (4, "System Settings > Privacy & Security > Full Disk Access"),
            (5, "use sudo"),
            (6, "quit another program"),
            (77, "77"),
        ] {
            let refusal = Refusal::of_new_client(result);
            let text = refusal.advice(&none);
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(Refusal::of_new_client(2).exit(), Exit::Failed);
        assert_eq!(Refusal::of_new_client(4).exit(), Exit::NotPermitted);
    }

    #[test]
    fn advice_depends_on_where_the_program_runs() {
        let advice = |app: Option<&str>, ssh, tmux| {
            let surroundings = Surroundings {
                app: app.map(str::to_owned),
                ssh,
                tmux,
            };
            Refusal::NotPermitted.advice(&surroundings).into_owned()
        };
        let terminal = advice(Some("/Applications/iTerm.app"), false, false);
        assert!(terminal.contains("for /Applications/iTerm.app: turn it on"));
        assert!(terminal.contains("then restart the app\nto open the pane"));
        let ssh = advice(Some("/usr/libexec/sshd-keygen-wrapper"), true, false);
        assert!(ssh.contains("Allow full disk access for remote users"));
        assert!(!ssh.contains("Privacy_AllFiles"));
        assert!(advice(None, false, true).contains("tmux kill-server"));
    }

    #[test]
    fn eslogger_is_used_where_it_can_work() {
        for (result, unentitled, entitled) in [
            (1, true, true),
            (2, true, true),
            (3, true, true),
            (4, true, false),
            (5, true, false),
            (6, false, false),
        ] {
            let refusal = Refusal::of_new_client(result);
            assert_eq!(refusal.leaves_eslogger(Some(false)), unentitled, "{result}");
            assert_eq!(refusal.leaves_eslogger(Some(true)), entitled, "{result}");
        }
        assert!(!Refusal::NoEvents.leaves_eslogger(Some(false)));
    }
}
