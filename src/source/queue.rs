//! The queue between a thread that must not wait and the thread that cuts pieces. The first is macOS's own, which calls
//! the handler of a client, or the one that reads eslogger's output.
//!
//! The queue is bounded by the weight of its items, because any user can make large events. Items count until they have
//! been passed on. Its contents are taken as a whole, so that the slower side rarely takes the lock, and a thread that
//! waits for room is woken only once, for a lot of room. A channel that passes one message at a time costs a thread
//! switch for each of them when it is full.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The maximum weight of what waits, in bytes. A thread that adds more waits for room; macOS drops events in the
/// meantime, and counts them.
pub const CAPACITY: usize = 64 << 20;

/// A bounded queue.
#[derive(Debug)]
pub struct Queue<T, S> {
    state: Mutex<State<T, S>>,
    filled: Condvar,
    released: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T, S> {
    items: Vec<T>,
    weight: usize,
    is_awaited: bool,
    is_closed: bool,
    shared: S,
}

impl<T, S> Queue<T, S> {
    /// Creates a queue for this total weight; `shared` is further state that both sides use.
    pub fn new(capacity: usize, shared: S) -> Self {
        Queue {
            state: Mutex::new(State {
                items: Vec::new(),
                weight: 0,
                is_awaited: false,
                is_closed: false,
                shared,
            }),
            filled: Condvar::new(),
            released: Condvar::new(),
            capacity,
        }
    }

    /// Calls `f` with the shared state.
    pub fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.lock().shared)
    }

    /// Changes the shared state, and adds the resulting item, if any, with its weight. Waits while the queue is full.
    pub fn push(&self, item: impl FnOnce(&mut S) -> Option<(T, usize)>) {
        let mut state = self.lock();
        let Some((item, weight)) = item(&mut state.shared) else {
            return;
        };
        self.put(state, weight, |items| items.push(item));
    }

    /// Puts something in that weighs so much, as `put` does it. Waits while the queue is full.
    pub fn push_by(&self, weight: usize, put: impl FnOnce(&mut Vec<T>)) {
        self.put(self.lock(), weight, put);
    }

    fn put(
        &self,
        mut state: MutexGuard<'_, State<T, S>>,
        weight: usize,
        put: impl FnOnce(&mut Vec<T>),
    ) {
        while state.weight >= self.capacity && !state.is_closed {
            state = wait(&self.released, state);
        }
        if state.is_closed {
            return;
        }
        state.weight += weight;
        put(&mut state.items);
        if std::mem::take(&mut state.is_awaited) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Adds an item that mustn't wait, and that has no weight.
    pub fn push_at_once(&self, item: T) {
        let mut state = self.lock();
        state.items.push(item);
        if std::mem::take(&mut state.is_awaited) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Takes everything in the queue into `items`, which is empty; returns true if there was anything. The items count
    /// until they are released.
    pub fn poll(&self, items: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        if state.items.is_empty() {
            return false;
        }
        std::mem::swap(&mut state.items, items);
        true
    }

    /// Makes room for this weight, which was taken and has been passed on.
    pub fn release(&self, weight: usize) {
        let mut state = self.lock();
        let was_full = state.weight >= self.capacity;
        state.weight = state.weight.saturating_sub(weight);
        if was_full && state.weight < self.capacity {
            drop(state);
            self.released.notify_all();
        }
    }

    /// Returns true if adding an item means waiting for room.
    pub fn is_full(&self) -> bool {
        self.lock().weight >= self.capacity
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
        self.released.notify_all();
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
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn what_is_pushed_comes_out_in_order_and_never_more_than_fits_waits() {
        let queue = Arc::new(Queue::new(100, 0));
        let pusher = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for item in 0..100_000_usize {
                    queue.push(|seen| {
                        *seen += 1;
                        // Of all weights, some larger than the queue.
                        (item % 3 != 0).then_some((Some(item), item % 120))
                    });
                }
                queue.push_at_once(None);
            })
        };
        let mut all = Vec::new();
        let mut items = Vec::new();
        while all.last() != Some(&None) {
            queue.wait();
            assert!(queue.poll(&mut items));
            let mut weights = items.iter().flatten().map(|item| item % 120);
            let weight = weights.clone().sum();
            let last = weights.next_back().unwrap_or(0);
            assert!(weight - last < 100, "{weight}");
            all.append(&mut items);
            queue.release(weight);
        }
        pusher.join().expect("it pushes them all");
        all.pop();
        let expected = (0..100_000).filter(|item| item % 3 != 0);
        assert!(all.into_iter().flatten().eq(expected));
        assert_eq!(queue.with(|seen| *seen), 100_000);
        assert!(!queue.poll(&mut items));
    }

    #[test]
    fn what_was_taken_weighs_until_it_is_released() {
        let queue = Arc::new(Queue::new(10, ()));
        let (sender, receiver) = channel();
        let thread = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for item in 0..4 {
                    queue.push_by(5, |items: &mut Vec<i32>| items.push(item));
                    sender.send(item).expect("a receiver");
                }
            })
        };
        let mut items = Vec::new();
        assert_eq!((receiver.recv(), receiver.recv()), (Ok(0), Ok(1)));
        assert!(queue.poll(&mut items));
        assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err());
        queue.release(5);
        assert_eq!(receiver.recv(), Ok(2));
        assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err());
        queue.release(5);
        thread.join().expect("it ends");
        assert_eq!(items, [0, 1]);
        items.clear();
        assert!(queue.poll(&mut items));
        assert_eq!(items, [2, 3]);
    }

    #[test]
    fn nobody_waits_for_room_in_a_closed_queue() {
        let queue = Arc::new(Queue::new(1, ()));
        queue.push(|()| Some((1, 1)));
        let pusher = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(|()| Some((2, 1))))
        };
        queue.close();
        pusher.join().expect("it ends");
        queue.push(|()| Some((3, 1)));
        let mut items = Vec::new();
        assert!(queue.poll(&mut items));
        assert_eq!(items, [1]);
    }
}
