//! The protocol between programs and the kernel: frames of a length, a kind and a payload, over a socket whose name
//! follows from the kernel's process identifier. Numbers are little endian.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;

/// From a program: send me everything that happens from now on. The connection stays open.
pub const WATCH: u8 = b'W';
/// From a program that watches: send this number back after everything that has happened. From the kernel: here it
/// is.
pub const MARK: u8 = b'M';
/// From the kernel: something has happened. The payload says whether the program or a process below it did it, and
/// has eslogger's JSON.
pub const MESSAGE: u8 = b'E';
/// From a program: my next fork is part of a `posix_spawn`. The payload is the thread's identifier and flags.
pub const SPAWN: u8 = b'S';
/// From a program: I ask for the identity of this process. The answer is an audit token.
pub const TOKEN: u8 = b'T';
/// From a program: these are the process's users and groups now ([`Credentials::numbers`]). Without any, the answer
/// is its current ones.
///
/// [`Credentials::numbers`]: crate::system::identity::Credentials::numbers
pub const CREDENTIALS: u8 = b'C';
/// From a program: I send SIGKILL to this process. The answer is 1 if it has no effect yet.
pub const KILL: u8 = b'K';
/// From a program: is the process of this audit token the program or below it? The answer is 1 if so.
pub const BELOW: u8 = b'B';
/// From a program: when was this process started? The answer is seconds and microseconds, or nothing.
pub const START: u8 = b'A';
/// The kernel's answer where no other answer is defined.
pub const DONE: u8 = b'D';

/// Flag of [`SPAWN`]: the process stops once it has its image.
pub const SUSPENDED: u8 = 1;
/// Flag of [`SPAWN`]: the process that spawns is replaced, and doesn't fork.
pub const REPLACES: u8 = 2;

/// The longest frame: an exec with arguments and environment as long as Linux allows, written as JSON.
const LONGEST: usize = 64 << 20;

/// The name of a kernel's socket. Process identifiers belong to a namespace, names of sockets mostly to the whole
/// machine.
pub fn address(kernel: u32) -> io::Result<SocketAddr> {
    let namespace = std::fs::read_link("/proc/self/ns/pid")?;
    SocketAddr::from_abstract_name(format!("macsim/{}/{kernel}", namespace.display()))
}

/// A frame's bytes.
pub fn frame(kind: u8, payload: &[&[u8]]) -> Vec<u8> {
    let length = 1 + payload.iter().map(|part| part.len()).sum::<usize>();
    let mut frame = Vec::with_capacity(4 + length);
    frame.extend_from_slice(&(length as u32).to_le_bytes());
    frame.push(kind);
    for part in payload {
        frame.extend_from_slice(part);
    }
    frame
}

/// Writes a frame.
pub fn send(stream: &mut impl Write, kind: u8, payload: &[&[u8]]) -> io::Result<()> {
    stream.write_all(&frame(kind, payload))
}

/// Reads a frame: its kind and payload, or `None` at the end.
pub fn receive(stream: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let mut payload = vec![0; check(u32::from_le_bytes(length) as usize)?];
    stream.read_exact(&mut payload)?;
    let kind = payload.remove(0);
    Ok(Some((kind, payload)))
}

/// Removes a whole frame from the front of what was read.
pub fn take(read: &mut Vec<u8>) -> io::Result<Option<(u8, Vec<u8>)>> {
    let Some(length) = read.first_chunk::<4>() else {
        return Ok(None);
    };
    let end = 4 + check(u32::from_le_bytes(*length) as usize)?;
    if read.len() < end {
        return Ok(None);
    }
    let frame = (read[4], read[5..end].to_vec());
    read.drain(..end);
    Ok(Some(frame))
}

fn check(length: usize) -> io::Result<usize> {
    if (1..=LONGEST).contains(&length) {
        Ok(length)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// The numbers of a payload.
pub fn numbers(payload: &[u8]) -> Vec<u32> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap_or_default());
    payload.chunks_exact(4).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_go_there_and_back() {
        let mut bytes = frame(MARK, &[&7_u32.to_le_bytes()]);
        bytes.extend(frame(DONE, &[]));
        let mut reader = bytes.as_slice();
        let (kind, payload) = receive(&mut reader).expect("read").expect("a frame");
        assert_eq!((kind, numbers(&payload)), (MARK, vec![7]));
        let mut part = bytes[..5].to_vec();
        assert_eq!(take(&mut part).expect("read"), None);
        part.extend_from_slice(&bytes[5..]);
        assert_eq!(take(&mut part).expect("read"), Some((MARK, payload)));
        assert_eq!(take(&mut part).expect("read"), Some((DONE, vec![])));
        assert!(take(&mut vec![0xff; 8]).is_err());
    }
}
