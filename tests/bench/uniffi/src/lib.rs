// SPDX-License-Identifier: Apache-2.0

//! What Pillion's Python rows do, by UniFFI: a call whose answer comes from another thread,
//! and calls of Python's functions from tasks of tokio's.

use std::sync::Arc;
use std::time::Instant;

uniffi::setup_scaffolding!();

#[uniffi::export(async_runtime = "tokio")]
pub async fn echo(request: Vec<u8>) -> Vec<u8> {
    tokio::spawn(async move { request }).await.unwrap()
}

#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Fetcher: Send + Sync {
    async fn fetch(&self, request: Vec<u8>) -> Vec<u8>;
}

/// The nanoseconds of one fetch.
#[uniffi::export(async_runtime = "tokio")]
pub async fn fetch_often(fetcher: Arc<dyn Fetcher>, in_flight: u32, times: u32) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let fetcher = fetcher.clone();
            tokio::spawn(async move {
                for _ in 0..times {
                    assert_eq!(fetcher.fetch(b"x".to_vec()).await, b"x");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed().as_nanos() as f64 / (f64::from(in_flight) * f64::from(times))
}
