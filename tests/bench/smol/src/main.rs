// SPDX-License-Identifier: Apache-2.0

//! The same work as the C and Go programs, on smol's executor for one thread.

#[path = "../../tokio/src/growth.rs"]
mod growth;
#[path = "../../tokio/src/shapes.rs"]
#[allow(dead_code)]
mod shapes;

#[path = "../../tokio/src/stress.rs"]
mod stress;

use async_executor::{LocalExecutor, Task};
use futures_lite::future::{block_on, yield_now};
use growth::Spawner;
use shapes::{SelfWake, Sleeper};
use std::future::Future;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const TASKS: u64 = 100;
const BATCH: u64 = 1000;
const LONG_ENOUGH: Duration = Duration::from_millis(150);

type Executor = LocalExecutor<'static>;

struct Smol(&'static Executor);

impl Spawner for Smol {
    type Handle = Task<()>;
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) -> Task<()> {
        self.0.spawn(future)
    }
    fn detach(handle: Task<()>) {
        handle.detach();
    }
    fn cancel(handle: Task<()>) {
        drop(handle);
    }
}

fn executor() -> &'static Executor {
    Box::leak(Box::new(LocalExecutor::new()))
}

fn run<T>(ex: &Executor, future: impl Future<Output = T>) -> T {
    block_on(ex.run(future))
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

fn steps<F: Future<Output = ()> + 'static>(ex: &Executor, task: impl Fn(u64) -> F) -> f64 {
    const EACH: u64 = 10_000;
    measure(|| {
        run(ex, async {
            let tasks: Vec<_> = (0..TASKS).map(|_| ex.spawn(task(EACH))).collect();
            for t in tasks {
                t.await;
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

static RAN: AtomicU64 = AtomicU64::new(0);

async fn once() -> u64 {
    let n = RAN.load(Relaxed) + 1; // one thread: no locked instruction
    RAN.store(n, Relaxed);
    n
}

fn spawns(joined: bool) -> f64 {
    let ex = executor();
    measure(|| {
        run(ex, async {
            if joined {
                let tasks: Vec<_> = (0..BATCH).map(|_| ex.spawn(once())).collect();
                for t in tasks {
                    black_box(t.await);
                }
                return;
            }
            let end = RAN.load(Relaxed) + BATCH;
            for _ in 0..BATCH {
                ex.spawn(once()).detach();
            }
            while RAN.load(Relaxed) < end {
                yield_now().await;
            }
        });
        BATCH
    })
}

fn awaits() -> f64 {
    let ex = executor();
    steps(ex, move |n| async move {
        for _ in 0..n {
            black_box(ex.spawn(once()).await);
        }
    })
}

fn ledger() -> f64 {
    let ex = executor();
    let book = Rc::new(stress::Ledger::default());
    for i in 0..TASKS as usize {
        ex.spawn(stress::clerk(book.clone(), i % 2)).detach();
    }
    measure(|| {
        let before = book.transfers.get();
        run(ex, async {
            while book.transfers.get() < before + 100_000 {
                yield_now().await;
            }
        });
        book.transfers.get() - before
    })
}

fn lives() -> f64 {
    let ex = executor();
    let place = stress::Place::new();
    measure(|| {
        run(ex, async {
            for _ in 0..BATCH {
                let task = ex.spawn(stress::life(place));
                place.wake().await;
                black_box(task.await);
            }
        });
        BATCH
    })
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

fn idle() -> f64 {
    const COUNT: u64 = 1_000_000;
    let ex = executor();
    run(ex, yields(100));
    let before = resident();
    run(ex, async {
        for _ in 0..COUNT {
            ex.spawn(Sleeper::new()).detach();
        }
        while shapes::ASLEEP.load(Relaxed) < COUNT {
            yield_now().await;
        }
    });
    (resident() - before) / COUNT as f64
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = match args[0].as_str() {
        "wake" => steps(executor(), SelfWake),
        "yield" => steps(executor(), yields),
        "await" => awaits(),
        "spawn" => spawns(false),
        "spawn-join" => spawns(true),
        "idle" => idle(),
        "ledger" => ledger(),
        "life" => lives(),
        "growth" => {
            let ex = executor();
            run(ex, growth::growth(&Smol(ex), &args[1], args[2].parse().unwrap()))
        }
        _ => panic!("which?"),
    };
    println!("{{\"{}\": {value:.3}}}", args[0]);
}
