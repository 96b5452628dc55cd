// SPDX-License-Identifier: Apache-2.0

//! Futures written by hand, in the shapes that the C programs have.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Wakes itself as often as it says.
pub struct SelfWake(pub u64);

impl Future for SelfWake {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Gives its waker away and sleeps.
pub struct KeepWaker(pub &'static Mutex<Option<Waker>>);

impl Future for KeepWaker {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.0.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

pub static ASLEEP: AtomicU64 = AtomicU64::new(0);

/// Keeps its waker itself, with a word of state, and sleeps.
pub struct Sleeper {
    waker: Option<Waker>,
    state: u64,
}

impl Sleeper {
    pub fn new() -> Self {
        Sleeper {
            waker: None,
            state: 0,
        }
    }
}

impl Future for Sleeper {
    type Output = u64;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        if self.state == 2 {
            return Poll::Ready(2);
        }
        self.waker = Some(cx.waker().clone());
        self.state = 1;
        ASLEEP.store(ASLEEP.load(Relaxed) + 1, Relaxed);
        Poll::Pending
    }
}
