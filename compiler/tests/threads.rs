//! Threads compile at the same time.
#![cfg(feature = "parallel")]

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use precast_compiler::{FunctionKey, FunctionStore, Schedule, compile};
use precast_config::CompilerSettings;

/// How often a thread looks for another one before it goes on alone.
const PATIENCE: usize = 100_000;

/// Has no function, and notes whether threads ask for one at the same time.
#[derive(Default)]
struct Meeting {
    present: Mutex<HashSet<ThreadId>>,
    met: Mutex<bool>,
}

impl FunctionStore for Meeting {
    fn get(&self, _: &FunctionKey, _: &mut Vec<u8>) -> bool {
        let own = thread::current().id();
        self.present.lock().unwrap().insert(own);
        for _ in 0..PATIENCE {
            if *self.met.lock().unwrap() {
                break;
            }
            if self.present.lock().unwrap().len() > 1 {
                *self.met.lock().unwrap() = true;
            }
            thread::yield_now();
        }
        self.present.lock().unwrap().remove(&own);
        false
    }

    fn put(&self, _: &FunctionKey, _: &[u8]) {}
}

#[test]
fn two_threads_compile_at_the_same_time() {
    let mut text = String::from("(module");
    for number in 0..40 {
        write!(text, "(func (export \"{number}\") (result i32) (i32.const {number}))").unwrap();
    }
    text.push(')');
    let meeting = Meeting::default();
    let schedule = Schedule { jobs: 2, functions: Some(&meeting), ..Schedule::default() };
    compile(&wat::parse_str(&text).unwrap(), &CompilerSettings::default(), &schedule).unwrap();
    assert!(*meeting.met.lock().unwrap());
}
