// SPDX-License-Identifier: Apache-2.0

//! The same work as the C and Go programs beside it, on tokio. The runtime has no
//! drivers, so that it needn't look for I/O: tokio at its best.

mod growth;
mod pool;
mod shapes;
mod stress;
mod timers;

use growth::Spawner;
use shapes::{KeepWaker, SelfWake, Sleeper};
use std::future::Future;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{spawn_local, yield_now, LocalSet};

const TASKS: u64 = 100;
const BATCH: u64 = 1000;
const LONG_ENOUGH: Duration = Duration::from_millis(150);

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// The timing loop of bench.h.
fn measure(mut round: impl FnMut() -> u64) -> f64 {
    round();
    let start = Instant::now();
    let mut steps = 0;
    while start.elapsed() < LONG_ENOUGH {
        steps += round();
    }
    start.elapsed().as_nanos() as f64 / steps as f64
}

fn steps<F: Future<Output = ()> + Send + 'static>(task: impl Fn(u64) -> F) -> f64 {
    const EACH: u64 = 10_000;
    let rt = runtime();
    measure(|| {
        rt.block_on(async {
            let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task(EACH))).collect();
            for t in tasks {
                t.await.unwrap();
            }
        });
        TASKS * EACH
    })
}

async fn yields(n: u64) {
    for _ in 0..n {
        yield_now().await;
    }
}

async fn awaits(n: u64) {
    for _ in 0..n {
        black_box(tokio::spawn(once()).await.unwrap());
    }
}

static RAN: AtomicU64 = AtomicU64::new(0);

async fn once() -> u64 {
    let n = RAN.load(Relaxed) + 1; // one thread: no locked instruction
    RAN.store(n, Relaxed);
    n
}

async fn batch<H>(spawn: impl Fn() -> H) {
    let end = RAN.load(Relaxed) + BATCH;
    for _ in 0..BATCH {
        drop(spawn());
    }
    while RAN.load(Relaxed) < end {
        yield_now().await;
    }
}

async fn batch_joined() {
    let tasks: Vec<_> = (0..BATCH).map(|_| tokio::spawn(once())).collect();
    for t in tasks {
        black_box(t.await.unwrap());
    }
}

fn spawns(local: bool, joined: bool) -> f64 {
    let (rt, set) = (runtime(), LocalSet::new());
    measure(|| {
        match (local, joined) {
            (true, _) => set.block_on(&rt, batch(|| spawn_local(once()))),
            (_, true) => rt.block_on(batch_joined()),
            _ => rt.block_on(batch(|| tokio::spawn(once()))),
        }
        BATCH
    })
}

/// Wakes from another thread, of a task that was woken already.
fn wakes() -> f64 {
    let rt = runtime();
    let slot = &*Box::leak(Box::new(Mutex::new(None::<Waker>)));
    rt.spawn(KeepWaker(slot));
    rt.block_on(yields(3));
    let waker = slot.lock().unwrap().take().unwrap();
    let other = std::thread::spawn(move || {
        measure(|| {
            for _ in 0..100_000 {
                waker.wake_by_ref();
            }
            100_000
        })
    });
    other.join().unwrap()
}

fn notifies() -> f64 {
    let notify = &*Box::leak(Box::new(tokio::sync::Notify::new()));
    let other = std::thread::spawn(move || {
        measure(|| {
            for _ in 0..100_000 {
                notify.notify_one();
            }
            100_000
        })
    });
    other.join().unwrap()
}

/// Sends of a token and 24 bytes by another thread, and that thread's time alone, as
/// in post.c. A channel without a bound is the faster of the two.
fn posts(streaming: bool) -> f64 {
    const BURSTS: u64 = 1000;
    static POSTED: AtomicU64 = AtomicU64::new(0);
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel::<(u64, [u8; 24])>();
    let other = std::thread::spawn(move || {
        let (mut token, mut spent) = (0, Duration::ZERO);
        for i in 0..=BURSTS {
            let start = Instant::now();
            for _ in 0..BATCH {
                send.send((token, *b"posted by another thread")).unwrap();
                token += 1;
            }
            if i > 0 {
                spent += start.elapsed();
            }
            POSTED.store(token, Relaxed);
            while !streaming && TAKEN.load(Relaxed) < token {
                std::thread::yield_now();
            }
        }
        spent.as_nanos() as f64 / (BATCH * BURSTS) as f64
    });
    runtime().block_on(async {
        loop {
            let taken = TAKEN.load(Relaxed);
            while !streaming && POSTED.load(Relaxed) == taken && !other.is_finished() {
                std::thread::yield_now();
            }
            match receive.recv().await {
                Some((i, _)) => assert_eq!(i, taken),
                None => break,
            }
            TAKEN.store(taken + 1, Relaxed);
        }
    });
    other.join().unwrap()
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

fn idle() -> f64 {
    const COUNT: u64 = 1_000_000;
    let rt = runtime();
    rt.block_on(yields(100));
    let before = resident();
    rt.block_on(async {
        for _ in 0..COUNT {
            drop(tokio::spawn(Sleeper::new()));
        }
        while shapes::ASLEEP.load(Relaxed) < COUNT {
            yield_now().await;
        }
    });
    let bytes = (resident() - before) / COUNT as f64;
    std::mem::forget(rt);
    bytes
}

fn ledger() -> f64 {
    let (rt, set) = (runtime(), LocalSet::new());
    let book = Rc::new(stress::Ledger::default());
    for i in 0..TASKS as usize {
        set.spawn_local(stress::clerk(book.clone(), i % 2));
    }
    measure(|| {
        let before = book.transfers.get();
        set.block_on(&rt, async {
            while book.transfers.get() < before + 100_000 {
                yield_now().await;
            }
        });
        book.transfers.get() - before
    })
}

fn lives() -> f64 {
    let rt = runtime();
    let place = stress::Place::new();
    measure(|| {
        rt.block_on(async {
            for _ in 0..BATCH {
                let task = tokio::spawn(stress::life(place));
                place.wake().await;
                black_box(task.await.unwrap());
            }
        });
        BATCH
    })
}

struct Tokio;

impl Spawner for Tokio {
    type Handle = tokio::task::JoinHandle<()>;
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) -> Self::Handle {
        tokio::spawn(future)
    }
    fn detach(handle: Self::Handle) {
        drop(handle);
    }
    fn cancel(handle: Self::Handle) {
        handle.abort();
    }
}

fn grow(mode: &str, n: usize) -> f64 {
    let rt = runtime();
    let ns = rt.block_on(growth::growth(&Tokio, mode, n));
    std::mem::forget(rt);
    ns
}

/// All figures, or only one.
fn timed(n: usize, only: Option<String>) {
    let rt = Builder::new_current_thread().enable_time().build().unwrap();
    let all = rt.block_on(timers::timers(n));
    let wanted = all.iter().filter(|(what, _)| only.as_ref().is_none_or(|o| o == *what));
    let each: Vec<_> = wanted.map(|(what, ns)| format!("\"{what}\": {ns:.3}")).collect();
    println!("{{{}}}", each.join(", "));
}

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let argument = |i| std::env::args().nth(i).unwrap();
    if mode == "timer" {
        return timed(argument(2).parse().unwrap(), std::env::args().nth(3));
    }
    let value = match mode.as_str() {
        "wake" => steps(SelfWake),
        "yield" => steps(yields),
        "await" => steps(awaits),
        "yield-mt" => pool::all_yield(),
        "ring-mt" => pool::ring(),
        "spawn" => spawns(false, false),
        "spawn-local" => spawns(true, false),
        "spawn-join" => spawns(false, true),
        "coalesced" => wakes(),
        "notify" => notifies(),
        "burst" => posts(false),
        "stream" => posts(true),
        "idle" => idle(),
        "ledger" => ledger(),
        "life" => lives(),
        "growth" => grow(&argument(2), argument(3).parse().unwrap()),
        _ => panic!("which?"),
    };
    println!("{{\"{mode}\": {value:.3}}}");
}
