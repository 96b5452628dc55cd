// SPDX-License-Identifier: Apache-2.0

//! The work of bench.c on embassy: a task that wakes itself a thousand times.

#![no_std]
#![no_main]

use core::future::poll_fn;
use core::task::Poll;
use cortex_m::peripheral::{syst::SystClkSource, SYST};
use cortex_m_semihosting::{debug, hprintln};
use embassy_executor::{raw::TaskStorage, Executor};
use panic_halt as _;

const POLLS: u32 = 1000;
const NS: u32 = 40; // a count of SysTick, at 25 MHz

fn nothing() -> impl core::future::Future<Output = ()> {
    core::future::ready(())
}

fn storage<F: core::future::Future + 'static>(_: fn() -> F) -> usize {
    core::mem::size_of::<TaskStorage<F>>()
}

#[embassy_executor::task]
async fn again() {
    let mut left = POLLS;
    let before = SYST::get_current();
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    let ticks = before.wrapping_sub(SYST::get_current()) & 0xffffff;
    hprintln!(
        "{{\"turn\": {}, \"slot\": {}}}",
        ticks * NS / POLLS,
        storage(nothing)
    );
    debug::exit(debug::EXIT_SUCCESS);
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut EXECUTOR: Option<Executor> = None;
    let mut systick = cortex_m::Peripherals::take().unwrap().SYST;
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(0xffffff);
    systick.clear_current();
    systick.enable_counter();
    EXECUTOR
        .insert(Executor::new())
        .run(|spawner| spawner.spawn(again().unwrap()))
}
