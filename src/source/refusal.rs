//! Why macOS refuses a live trace, and what to do about it: the same words whichever source it refused.

use std::borrow::Cow;

use crate::exit::Exit;

/// Why macOS refuses a live trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It takes root.
    NotPrivileged,
    /// The program isn't entitled.
    NotEntitled,
    /// The user hasn't let the program, or the app that it runs in, see it all.
    NotPermitted,
    /// There is no room for another client.
    TooManyClients,
    /// Anything else, in words.
    Other(String),
}

/// eslogger's names for what `es_new_client` returns (`es_new_client_result_t`, `<EndpointSecurity/ESTypes.h>`).
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
    /// What a result of `es_new_client` other than success means.
    pub fn of_new_client(result: u32) -> Refusal {
        match result {
            3 => Refusal::NotEntitled,
            4 => Refusal::NotPermitted,
            5 => Refusal::NotPrivileged,
            6 => Refusal::TooManyClients,
            1 => Refusal::Other("macOS calls a new client's argument invalid (1)".to_owned()),
            2 => Refusal::Other("macOS failed to talk to EndpointSecurity (2)".to_owned()),
            other => Refusal::Other(format!("macOS refused a new client: {other}")),
        }
    }

    /// The running macOS has none of the events that are asked for.
    #[cfg(target_os = "macos")]
    pub fn no_events() -> Refusal {
        Refusal::Other("this macOS has none of the selected events".to_owned())
    }

    /// What eslogger says on standard error, if it is that it was refused.
    pub fn said(text: &str) -> Option<Refusal> {
        let said = |(name, _): &&(&str, Refusal)| text.contains(name);
        NAMES.iter().find(said).map(|(_, refusal)| refusal.clone())
    }

    /// The exit status of a program that met it.
    pub fn exit(&self) -> Exit {
        match self {
            Refusal::Other(_) => Exit::Failed,
            _ => Exit::NotPermitted,
        }
    }

    /// What is refused and how to mend that. macOS asks the permission of `app`, if that is known.
    pub fn mend(&self, app: Option<&str>) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Refusal::NotPrivileged => "a live trace takes root: use sudo",
            Refusal::NotEntitled => {
                "macOS lets only programs with the entitlement com.apple.developer.endpoint-security.client \
                 trace by themselves, which Apple grants to developers; an ad-hoc signature with it counts only where both \
                 SIP and AMFI are off. Without: --source eslogger"
            }
            Refusal::NotPermitted => {
                let app = app.unwrap_or(
                    "the app that it is started from (the terminal; sshd-keygen-wrapper for ssh)",
                );
                return Cow::Owned(format!(
                    "a live trace takes Full Disk Access, for {app}: allow it in System Settings > \
                     Privacy & Security > Full Disk Access, then start the app anew"
                ));
            }
            Refusal::TooManyClients => {
                "macOS already has as many clients of EndpointSecurity as it takes (48): end one of the programs \
                 that watch this Mac"
            }
            Refusal::Other(reason) => reason,
        })
    }
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
        for (result, words) in [
            (2, "failed to talk to EndpointSecurity"),
            (3, "com.apple.developer.endpoint-security.client"),
            (4, "System Settings > Privacy & Security > Full Disk Access"),
            (5, "use sudo"),
            (6, "(48)"),
            (77, "77"),
        ] {
            let refusal = Refusal::of_new_client(result);
            let text = refusal.mend(None);
            assert!(text.contains(words), "{text}");
        }
        let text = Refusal::NotPermitted.mend(Some("/Applications/iTerm.app"));
        assert!(
            text.contains("Access, for /Applications/iTerm.app: allow it in"),
            "{text}"
        );
        assert_eq!(Refusal::of_new_client(2).exit(), Exit::Failed);
        assert_eq!(Refusal::of_new_client(4).exit(), Exit::NotPermitted);
    }
}
