//! Programs' requests to the kernel.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::super::process::Lineage;
use super::super::{Spawn, wire};
use super::Kernel;
use crate::settings;
use crate::system::identity::Credentials;

/// A program that talks to the kernel.
pub struct Connection {
    pub stream: UnixStream,
    pub pid: i32,
    pub lineage: Rc<Lineage>,
    pub watches: bool,
    read: Vec<u8>,
    /// Bytes that the program hasn't taken yet.
    pub unsent: Vec<u8>,
}

impl Connection {
    pub fn send(&mut self, kind: u8, payload: &[&[u8]]) {
        self.unsent.extend(wire::frame(kind, payload));
        self.flush();
    }

    /// Writes as much as the program takes: one that is stopped must not stop the others.
    pub fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.unsent.clear(), // its end is noticed when it is read
            }
        }
    }
}

impl Kernel {
    pub fn connect(&mut self, stream: UnixStream) {
        // SAFETY: variables of our own.
        let pid = unsafe {
            let mut peer: libc::ucred = std::mem::zeroed();
            let mut size = size_of::<libc::ucred>() as u32;
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut peer).cast(),
                &raw mut size,
            );
            peer.pid
        };
        let lineage = self
            .processes
            .get(&pid)
            .map(|traced| Rc::clone(&traced.process.lineage));
        if stream.set_nonblocking(true).is_ok() {
            self.connections.push(Connection {
                stream,
                pid,
                lineage: lineage.unwrap_or_else(|| Lineage::child(None)),
                watches: false,
                read: Vec::new(),
                unsent: Vec::new(),
            });
            // Its request may be there already.
            let last = self.connections.len() - 1;
            if !self.listen(last) {
                self.connections.swap_remove(last);
            }
        }
    }

    /// Reads a program's requests and answers them; returns false at its end.
    pub fn listen(&mut self, index: usize) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.connections[index].stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => self.connections[index]
                    .read
                    .extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        loop {
            match wire::take(&mut self.connections[index].read) {
                Ok(Some((kind, payload))) => {
                    let answer = self.answer(index, kind, &payload);
                    let connection = &mut self.connections[index];
                    match kind {
                        wire::MARK => connection.send(wire::MARK, &[&payload]),
                        _ => connection.send(wire::DONE, &[&answer]),
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn answer(&mut self, index: usize, kind: u8, payload: &[u8]) -> Vec<u8> {
        let numbers = wire::numbers(payload);
        let connection = &mut self.connections[index];
        let pid = connection.pid;
        let first = || numbers.first().map_or(0, |number| number.cast_signed());
        match kind {
            wire::WATCH => {
                connection.watches = true;
                if let Some(traced) = self.processes.get_mut(&pid) {
                    traced.process.is_client = true;
                }
                Vec::new()
            }
            wire::SPAWN => {
                let flags = payload.get(4).copied().unwrap_or(0);
                let spawn = Spawn {
                    suspended: flags & wire::SUSPENDED != 0,
                    replaces: flags & wire::REPLACES != 0,
                };
                if spawn.replaces {
                    if let Some(traced) = self.processes.get_mut(&pid) {
                        traced.spawn = Some(spawn);
                    }
                } else {
                    self.spawns.insert(first(), spawn);
                }
                Vec::new()
            }
            wire::TOKEN => {
                let traced = self.processes.get(&pid);
                let token = traced.map(|traced| traced.process.token());
                token.map_or(Vec::new(), |token| token.map(u32::to_le_bytes).concat())
            }
            wire::CREDENTIALS => {
                let Some(traced) = self.processes.get_mut(&pid) else {
                    return Vec::new();
                };
                if let Some(credentials) = Credentials::of(&numbers) {
                    traced.process.credentials = Rc::new(credentials);
                }
                let numbers = traced.process.credentials.numbers().into_iter();
                numbers.flat_map(u32::to_le_bytes).collect()
            }
            wire::KILL => {
                let traced = self.processes.get_mut(&first());
                let hangs = traced.filter(|traced| traced.suspended && settings::get().kill_hangs);
                vec![u8::from(hangs.is_some_and(|traced| {
                    traced.doomed = true;
                    true
                }))]
            }
            wire::START => {
                let traced = self.processes.get(&first());
                let start = traced.map(|traced| traced.process.start);
                start.map_or(Vec::new(), |start| {
                    let numbers = [start.as_secs() as u32, start.subsec_micros()];
                    numbers.map(u32::to_le_bytes).concat()
                })
            }
            wire::BELOW => {
                let lineage = Rc::clone(&connection.lineage);
                let traced = numbers
                    .get(5)
                    .and_then(|pid| self.processes.get(&pid.cast_signed()));
                let below = traced.is_some_and(|traced| {
                    numbers.get(7) == Some(&traced.process.version)
                        && traced.process.lineage.is_below(&lineage)
                });
                vec![u8::from(below)]
            }
            _ => Vec::new(),
        }
    }
}
