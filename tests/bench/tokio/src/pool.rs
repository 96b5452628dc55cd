// SPDX-License-Identifier: Apache-2.0

//! Tasks on two worker threads.

use crate::{measure, yields};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use tokio::runtime::{Builder, Runtime};

const TASKS: usize = 1000;
const EACH: u64 = 1000;
const HOPS: u64 = 100_000;

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

pub fn all_yield() -> f64 {
    let rt = runtime();
    measure(|| {
        rt.block_on(async {
            let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(yields(EACH))).collect();
            for t in tasks {
                t.await.unwrap();
            }
        });
        TASKS as u64 * EACH
    })
}

struct Ring {
    wakers: Vec<OnceLock<Waker>>,
    left: AtomicU64,
    done: SyncSender<()>,
}

/// Wakes the next one whenever it is woken, as long as there are hops left.
struct Link {
    ring: &'static Ring,
    me: usize,
}

impl Future for Link {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ring = self.ring;
        let left = ring.left.load(Relaxed);
        if ring.wakers[self.me].get().is_none() {
            let _ = ring.wakers[self.me].set(cx.waker().clone());
            ring.done.send(()).unwrap();
        } else if left == 0 {
            ring.done.send(()).unwrap();
        } else {
            ring.left.store(left - 1, Relaxed);
            let next = &ring.wakers[(self.me + 1) % TASKS];
            next.get().unwrap().wake_by_ref();
        }
        Poll::Pending
    }
}

pub fn ring() -> f64 {
    let (rt, (done, arrived)) = (runtime(), sync_channel(1));
    let ring: &'static Ring = Box::leak(Box::new(Ring {
        wakers: (0..TASKS).map(|_| OnceLock::new()).collect(),
        left: AtomicU64::new(0),
        done,
    }));
    for me in 0..TASKS {
        rt.spawn(Link { ring, me });
        arrived.recv().unwrap();
    }
    measure(|| {
        ring.left.store(HOPS, Relaxed);
        ring.wakers[0].get().unwrap().wake_by_ref();
        arrived.recv().unwrap();
        HOPS
    })
}
