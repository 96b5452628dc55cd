// SPDX-License-Identifier: Apache-2.0

//! timer.c on tokio: N timers of one task, for random times within a minute.

use crate::growth::draws;
use std::collections::BTreeMap;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;
use tokio::time::{advance, sleep_until, Duration, Instant as Time, Sleep};

const MINUTE: u64 = 60_000;

pub async fn timers(n: usize) -> BTreeMap<&'static str, f64> {
    tokio::time::pause();
    let far = Time::now() + Duration::from_secs(1 << 20);
    let mut all: Vec<Pin<Box<Sleep>>> = (0..n).map(|_| Box::pin(sleep_until(far))).collect();
    let mut random = draws(1_000_003);
    let mut draw = draws(n);
    let mut spent = BTreeMap::from(["set", "move", "fire", "clear"].map(|what| (what, 0.0)));
    let rounds = 1 + (200_000 / n).max(1);
    for round in 0..rounds {
        for what in ["fire", "clear"] {
            let begin = Time::now();
            let start = Instant::now();
            poll_fn(|cx| {
                for sleep in &mut all {
                    let at = Duration::from_millis(1 + random.next().unwrap() as u64 % MINUTE);
                    sleep.as_mut().set(sleep_until(begin + at));
                    assert!(sleep.as_mut().poll(cx).is_pending());
                }
                Poll::Ready(())
            })
            .await;
            let set = start.elapsed();
            if what == "fire" {
                let start = Instant::now();
                poll_fn(|cx| {
                    for _ in 0..n {
                        let at = Duration::from_millis(1 + random.next().unwrap() as u64 % MINUTE);
                        let sleep = &mut all[draw.next().unwrap()];
                        sleep.as_mut().reset(begin + at);
                        assert!(sleep.as_mut().poll(cx).is_pending());
                    }
                    Poll::Ready(())
                })
                .await;
                if round > 0 {
                    *spent.get_mut("move").unwrap() += start.elapsed().as_nanos() as f64;
                }
            }
            let start = Instant::now();
            if what == "fire" {
                let step = if n <= 100 { MINUTE / 10 } else { (MINUTE * 100 / n as u64).max(1) };
                for _ in 0..MINUTE / step + 1 {
                    advance(Duration::from_millis(step)).await;
                }
            } else {
                for _ in 0..n {
                    all[draw.next().unwrap()].as_mut().set(sleep_until(far));
                }
            }
            if round > 0 {
                *spent.get_mut("set").unwrap() += set.as_nanos() as f64 / 2.0;
                *spent.get_mut(what).unwrap() += start.elapsed().as_nanos() as f64;
            }
        }
    }
    for ns in spent.values_mut() {
        *ns /= (n * (rounds - 1)) as f64;
    }
    spent
}
