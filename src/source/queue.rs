//! The queue between macOS's thread and the thread that prints.
//!
//! Its contents are taken as a whole, so that the slower side rarely takes the lock, and a thread that waits for room
//! is woken only once, for a lot of room. A channel that passes one message at a time costs a thread switch for each of
//! them when it is full.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A bounded queue.
#[derive(Debug)]
pub struct Queue<T, S> {
    state: Mutex<State<T, S>>,
    filled: Condvar,
    taken: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T, S> {
    items: Vec<T>,
    is_awaited: bool,
    is_closed: bool,
    shared: S,
}

impl<T, S> Queue<T, S> {
    /// Creates a queue for this many items; `shared` is further state that both sides use.
    pub fn new(capacity: usize, shared: S) -> Self {
        Queue {
            state: Mutex::new(State {
                items: Vec::new(),
                is_awaited: false,
                is_closed: false,
                shared,
            }),
            filled: Condvar::new(),
            taken: Condvar::new(),
            capacity,
        }
    }

    /// Calls `f` with the shared state.
    pub fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.lock().shared)
    }

    /// Changes the shared state, and adds the resulting item, if any. Waits while the queue is full.
    pub fn push(&self, item: impl FnOnce(&mut S) -> Option<T>) {
        let mut state = self.lock();
        let Some(item) = item(&mut state.shared) else {
            return;
        };
        while state.items.len() >= self.capacity && !state.is_closed {
            state = wait(&self.taken, state);
        }
        if state.is_closed {
            return;
        }
        state.items.push(item);
        if std::mem::take(&mut state.is_awaited) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Adds an item that mustn't wait.
    pub fn push_at_once(&self, item: T) {
        let mut state = self.lock();
        state.items.push(item);
        if std::mem::take(&mut state.is_awaited) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Takes everything in the queue into `items`, which is empty; returns true if there was anything.
    pub fn poll(&self, items: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        if state.items.is_empty() {
            return false;
        }
        std::mem::swap(&mut state.items, items);
        drop(state);
        self.taken.notify_all();
        true
    }

    /// Waits until the queue isn't empty.
    pub fn wait(&self) {
        let mut state = self.lock();
        while state.items.is_empty() {
            state.is_awaited = true;
            state = wait(&self.filled, state);
        }
        state.is_awaited = false;
    }

    /// Ends all waiting for room: items that are pushed from now on are dropped.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.taken.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'s, T, S>(
    condition: &Condvar,
    state: MutexGuard<'s, State<T, S>>,
) -> MutexGuard<'s, State<T, S>> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn what_is_pushed_comes_out_in_order_and_never_more_than_fits_waits() {
        let queue = Arc::new(Queue::new(10, 0));
        let pusher = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for item in 0..100_000 {
                    queue.push(|seen| {
                        *seen += 1;
                        (item % 3 != 0).then_some(item)
                    });
                }
                queue.push_at_once(-1);
            })
        };
        let mut all = Vec::new();
        let mut items = Vec::new();
        while all.last() != Some(&-1) {
            queue.wait();
            assert!(queue.poll(&mut items));
            assert!(items.len() <= 11);
            all.append(&mut items);
        }
        pusher.join().expect("it pushes them all");
        all.pop();
        assert!(
            all.into_iter()
                .eq((0..100_000).filter(|item| item % 3 != 0))
        );
        assert_eq!(queue.with(|seen| *seen), 100_000);
        assert!(!queue.poll(&mut items));
    }

    #[test]
    fn nobody_waits_for_room_in_a_closed_queue() {
        let queue = Arc::new(Queue::new(1, ()));
        queue.push(|()| Some(1));
        let pusher = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(|()| Some(2)))
        };
        queue.close();
        pusher.join().expect("it ends");
        queue.push(|()| Some(3));
        let mut items = Vec::new();
        assert!(queue.poll(&mut items));
        assert_eq!(items, [1]);
    }
}
