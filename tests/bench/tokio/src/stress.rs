// SPDX-License-Identifier: Apache-2.0

//! The tasks of the stress tests' rows.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::growth::yield_now;

#[derive(Default)]
pub struct Ledger {
    balance: [Cell<i64>; 2],
    pub transfers: Cell<u64>,
}

/// Transfers for ever, one at a time.
pub async fn clerk(ledger: Rc<Ledger>, from: usize) {
    loop {
        let balance = &ledger.balance;
        balance[from].set(balance[from].get() - 1);
        balance[1 - from].set(balance[1 - from].get() + 1);
        ledger.transfers.set(ledger.transfers.get() + 1);
        yield_now().await;
    }
}

/// Waits for one wake. Its waker is given away in a place that all share.
pub async fn life(place: &'static Place) -> u32 {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(polls);
        }
        place.0.set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await
}

/// All of it stays on one thread.
#[derive(Default)]
pub struct Place(Cell<Option<Waker>>);
unsafe impl Sync for Place {}

impl Place {
    pub fn new() -> &'static Place {
        Box::leak(Box::default())
    }

    /// Wakes the task that waits here, once it does.
    pub async fn wake(&self) {
        loop {
            if let Some(waker) = self.0.take() {
                return waker.wake();
            }
            yield_now().await;
        }
    }
}
