// SPDX-License-Identifier: Apache-2.0

//! growth.c on a runtime in Rust: what an operation costs beside N live tasks.

use std::cell::Cell;
use std::future::{poll_fn, Future};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

const AT_ONCE: u64 = 100;
const LONG_ENOUGH: Duration = Duration::from_millis(150);

/// What tokio and smol have in common.
pub trait Spawner {
    type Handle;
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) -> Self::Handle;
    fn detach(handle: Self::Handle);
    /// Asks for the end; the future is dropped at the task's next turn.
    fn cancel(handle: Self::Handle);
}

/// Of this process's one thread: no locked instruction.
struct Count(AtomicU64);

impl Count {
    fn up(&self) {
        self.0.store(self.0.load(Relaxed) + 1, Relaxed);
    }
    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

static POLLS: Count = Count(AtomicU64::new(0));
static DROPS: Count = Count(AtomicU64::new(0));

/// A place for each task's waker. All of it stays on one thread.
struct Slots(Vec<Cell<Option<Waker>>>);
unsafe impl Sync for Slots {}

struct CountsItsDrop;

impl Drop for CountsItsDrop {
    fn drop(&mut self) {
        DROPS.up();
    }
}

async fn sleeps(slots: &'static Slots, i: usize) {
    let _guard = CountsItsDrop;
    poll_fn(|cx| {
        POLLS.up();
        slots.0[i].set(Some(cx.waker().clone()));
        Poll::<()>::Pending
    })
    .await
}

async fn steps() {
    poll_fn(|cx| {
        POLLS.up();
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await
}

async fn once() {
    POLLS.up();
}

/// Lets the others go first, once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

async fn until(count: &Count, value: u64) {
    while count.get() < value {
        yield_now().await;
    }
}

/// 0 to n - 1 in a random order, again and again.
pub fn draws(n: usize) -> impl Iterator<Item = usize> {
    let mut order: Vec<usize> = (0..n).collect();
    let mut seed = 88172645463325252_u64;
    for i in (1..n).rev() {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        order.swap(i, (seed % (i as u64 + 1)) as usize);
    }
    let mut next = 0;
    std::iter::from_fn(move || {
        next = if next == n { 1 } else { next + 1 };
        Some(order[next - 1])
    })
}

pub async fn growth<S: Spawner>(s: &S, mode: &str, n: usize) -> f64 {
    let slots: &'static Slots = Box::leak(Box::new(Slots((0..n).map(|_| Cell::new(None)).collect())));
    let mut handles: Vec<Option<S::Handle>> = Vec::new();
    for i in 0..n {
        handles.push(match mode {
            "step" => {
                S::detach(s.spawn(steps()));
                None
            }
            _ => Some(s.spawn(sleeps(slots, i))),
        });
    }
    until(&POLLS, n as u64).await;
    let mut draw = draws(n);
    let (mut start, mut done, mut warm) = (Instant::now(), 0, false);
    while start.elapsed() < LONG_ENOUGH {
        let (polls, drops) = (POLLS.get(), DROPS.get());
        match mode {
            "step" => {
                until(&POLLS, polls + n.max(10_000) as u64).await;
                done += POLLS.get() - polls - AT_ONCE;
            }
            "spawn" => {
                for _ in 0..AT_ONCE {
                    S::detach(s.spawn(once()));
                }
                until(&POLLS, polls + AT_ONCE).await;
            }
            "wake" => {
                for _ in 0..AT_ONCE {
                    let slot = &slots.0[draw.next().unwrap()];
                    let waker = slot.take().unwrap();
                    waker.wake_by_ref();
                    slot.set(Some(waker));
                }
                until(&POLLS, polls + AT_ONCE).await;
            }
            "cancel" => {
                let drawn: Vec<usize> = (&mut draw).take(AT_ONCE as usize).collect();
                for &i in &drawn {
                    S::cancel(handles[i].take().unwrap());
                }
                until(&DROPS, drops + AT_ONCE).await;
                for &i in &drawn {
                    handles[i] = Some(s.spawn(sleeps(slots, i)));
                }
                until(&POLLS, polls + AT_ONCE).await;
            }
            _ => panic!("which?"),
        }
        done += AT_ONCE;
        if !std::mem::replace(&mut warm, true) {
            (start, done) = (Instant::now(), 0);
        }
    }
    let ns = start.elapsed().as_nanos() as f64 / done as f64;
    std::mem::forget(handles);
    ns
}
