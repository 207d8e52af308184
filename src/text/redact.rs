//! `--redact`: the values of environment variables, which hold secrets, are replaced.

use crate::model::event::Text;
use crate::text::json::{Error, Result, Scanner};

/// The replacement of a value.
pub const REDACTED: &str = "<redacted>";

/// The name in `NAME=VALUE`; None if there is no `=`.
pub fn name(variable: Text<'_>) -> Option<Text<'_>> {
    match variable {
        Text::Bytes(bytes) => {
            memchr::memchr(b'=', bytes).map(|equals| Text::Bytes(&bytes[..equals]))
        }
        Text::Known(name) => name.split_once('=').map(|(name, _)| Text::Known(name)),
        Text::Json(json) => {
            let mut at = 0;
            loop {
                match json.get(at..)? {
                    [b'=', ..] => return Some(Text::Json(&json[..at])),
                    [b'\\', b'u', unit @ ..] if is_equals(unit) => {
                        return Some(Text::Json(&json[..at]));
                    }
                    [b'\\', ..] => at += 2,
                    [_, ..] => at += 1,
                    [] => return None,
                }
            }
        }
    }
}

/// Returns true if an escape's digits are those of `=`.
fn is_equals(unit: &[u8]) -> bool {
    unit.first_chunk::<4>()
        .is_some_and(|unit| unit.eq_ignore_ascii_case(b"003d"))
}

/// Returns true if a member of this name holds the environment of a program, in any event.
pub fn is_env(name: Text<'_>) -> bool {
    match name {
        Text::Bytes(bytes) | Text::Json(bytes) if bytes == b"env" => true,
        Text::Json(json) if json.contains(&b'\\') => *name.bytes() == *b"env",
        Text::Known(name) => name == "env",
        _ => false,
    }
}

/// The depth to which JSON may be nested: deeper than a message that can be read.
const MAX_DEPTH: usize = 512;

/// Appends JSON with the values in every member called `env` replaced, wherever it is; nothing else changes.
///
/// # Errors
/// The text isn't JSON, or it is nested too deeply.
pub fn push_json(out: &mut Vec<u8>, json: &[u8]) -> Result<()> {
    let mut redaction = Redaction {
        json,
        out,
        copied: 0,
    };
    redaction.value(&mut Scanner::new(json, 0), 0)?;
    let copied = redaction.copied;
    out.extend_from_slice(&json[copied..]);
    Ok(())
}

struct Redaction<'j> {
    json: &'j [u8],
    out: &'j mut Vec<u8>,
    /// The number of bytes that have been copied or replaced.
    copied: usize,
}

impl Redaction<'_> {
    fn value(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<()> {
        match scanner.peek() {
            b'{' | b'[' if depth == MAX_DEPTH => {
                Err(Error::mismatch(scanner.at(), "nested too deep"))
            }
            b'{' => scanner.object(|scanner, key| {
                if !is_env(Text::Json(key.inside)) || scanner.peek() == b'n' {
                    return self.value(scanner, depth + 1);
                }
                self.out
                    .extend_from_slice(&self.json[self.copied..scanner.at()]);
                push_env(self.out, scanner)?;
                self.copied = scanner.at();
                Ok(())
            }),
            b'[' => scanner.array(|scanner| self.value(scanner, depth + 1)),
            _ => scanner.skip(),
        }
    }
}

/// Appends the environment that is next: an array of `"NAME=VALUE"`. Anything else is replaced as a whole.
fn push_env(out: &mut Vec<u8>, scanner: &mut Scanner<'_>) -> Result<()> {
    if scanner.peek() != b'[' {
        push_string(out, None);
        return scanner.skip();
    }
    let mut separator = b'[';
    scanner.array(|scanner| {
        out.push(separator);
        separator = b',';
        if scanner.peek() == b'"' {
            push_string(out, name(Text::Json(scanner.string()?.inside)));
            Ok(())
        } else {
            push_string(out, None);
            scanner.skip()
        }
    })?;
    out.extend_from_slice(if separator == b'[' { b"[]" } else { b"]" });
    Ok(())
}

fn push_string(out: &mut Vec<u8>, name: Option<Text<'_>>) {
    out.push(b'"');
    if let Some(Text::Bytes(name) | Text::Json(name)) = name {
        out.extend_from_slice(name);
        out.push(b'=');
    }
    out.extend_from_slice(REDACTED.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn becomes(message: &str, redacted: &str) {
        let mut out = Vec::new();
        push_json(&mut out, message.as_bytes()).expect("JSON");
        assert_eq!(String::from_utf8_lossy(&out), redacted);
    }

    proptest! {
        #[test]
        fn no_value_is_left(env in prop::collection::vec(any::<String>(), 0..6), pretty in any::<bool>()) {
            let message = |env: &[String]| serde_json::json!({ "event": { "su": { "env": env, "uid": 0 } }, "time": "" });
            let whole = message(&env);
            let text = if pretty { format!("{whole:#}") } else { whole.to_string() };
            let mut out = Vec::new();
            push_json(&mut out, text.as_bytes()).expect("JSON");
            let redacted: Vec<_> = env.iter().map(|variable| match variable.split_once('=') {
                Some((name, _)) => format!("{name}={REDACTED}"),
                None => REDACTED.to_owned(),
            }).collect();
            let out: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            prop_assert_eq!(out, message(&redacted));
        }
    }

    #[test]
    fn values_are_replaced_and_nothing_else() {
        becomes(
            r#"{"time":"a=b", "event" : {"exec":{"args":["A=b"],"env":["A=b\/c=d" , "B=","=C","D\u003dx","E\\u003d=y","F"], "cwd":{"env":["A=b"]}}},"env":["A=b"]}"#,
            r#"{"time":"a=b", "event" : {"exec":{"args":["A=b"],"env":["A=<redacted>","B=<redacted>","=<redacted>","D=<redacted>","E\\u003d=<redacted>","<redacted>"], "cwd":{"env":["A=<redacted>"]}}},"env":["A=<redacted>"]}"#,
        );
        becomes(
            r#"{"event":{"su":{"env":[]}}}"#,
            r#"{"event":{"su":{"env":[]}}}"#,
        );
        becomes(
            r#"{"event":{"su":{"env":null}}}"#,
            r#"{"event":{"su":{"env":null}}}"#,
        );
    }

    #[test]
    fn what_is_no_environment_is_replaced_as_a_whole() {
        becomes(
            r#"{"event":{"new":{"env":{"A":"b"}}}}"#,
            r#"{"event":{"new":{"env":"<redacted>"}}}"#,
        );
        becomes(
            r#"{"event":{"exec":{"env":[1,["A=b"],"C=d"]}}}"#,
            r#"{"event":{"exec":{"env":["<redacted>","<redacted>","C=<redacted>"]}}}"#,
        );
    }

    #[test]
    fn an_environment_is_found_wherever_it_is() {
        becomes(
            r#"{"event":{"new":{"a":[{"b":{"\u0065nv":["A=b"]}},{"env" : "A=b"}],"env":null}}}"#,
            r#"{"event":{"new":{"a":[{"b":{"\u0065nv":["A=<redacted>"]}},{"env" : "<redacted>"}],"env":null}}}"#,
        );
        let deep = |value: &str| format!("{}{value}{}", "{\"a\":".repeat(300), "}".repeat(300));
        becomes(
            &deep(r#"{"env":["A=b"]}"#),
            &deep(r#"{"env":["A=<redacted>"]}"#),
        );
        let too_deep = format!("{}1{}", "[".repeat(600), "]".repeat(600));
        assert!(push_json(&mut Vec::new(), too_deep.as_bytes()).is_err());
    }

    #[test]
    fn bytes_are_split_at_the_first_equals_sign() {
        let of = |variable| name(Text::Bytes(variable)).map(|name| name.bytes().into_owned());
        assert_eq!(of(b"A=b=c"), Some(b"A".to_vec()));
        assert_eq!(of(b"A\\u003d"), None);
    }
}
