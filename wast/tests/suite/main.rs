//! Runs the specification's test suite: every script is one test, in every setup.
//!
//! `skips.txt` lists the scripts that cannot pass yet; a script of the list that passes is a
//! failure, so that the list can only shrink.

mod scripts;
mod skips;
mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use precast_wast::{Runner, Setup};

use scripts::{Folder, Script};
use skips::Skips;
use tally::Tally;

fn main() {
    let arguments = Arguments::from_args();
    let skips = Skips::read();
    let scripts = scripts::all();
    let tally = Arc::new(Tally::default());

    let mut trials = vec![{
        let strays = skips.strays(&scripts);
        Trial::test("skips", move || match strays.is_empty() {
            true => Ok(()),
            false => Err(format!("skips.txt names unknown scripts: {}", strays.join(", ")).into()),
        })
    }];
    for &setup in Setup::ALL {
        let runners = runners(setup);
        for script in scripts.iter().filter(|script| setup.concerns(&script.text)) {
            let name = format!("{}::{}", setup.name(), script.path());
            let runner = runners[&script.folder].clone();
            let (script, tally) = (script.clone(), Arc::clone(&tally));
            let skip = skips.reason(&script.path()).map(str::to_owned);
            trials.push(Trial::ignorable_test(name, move || {
                run(&runner, setup, &script, skip.as_deref(), &tally)
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        print!("{tally}");
    }
    conclusion.exit();
}

/// One engine per folder, because folders differ in what they accept.
fn runners(setup: Setup) -> BTreeMap<Folder, Runner> {
    let runner = |folder: Folder| {
        let runner = Runner::new(folder.config(), setup).expect("the engine can be made");
        (folder, runner)
    };
    Folder::all().map(runner).collect()
}

fn run(
    runner: &Runner,
    setup: Setup,
    script: &Script,
    skip: Option<&str>,
    tally: &Tally,
) -> Result<Completion, Failed> {
    let outcome = runner.run(&script.path(), &script.text);
    match skip {
        None => {
            tally.ran(setup, &outcome);
            match outcome.succeeded() {
                true => Ok(Completion::Completed),
                false => Err(outcome.into()),
            }
        }
        Some(reason) if outcome.succeeded() => {
            Err(format!("it passes now: remove it from skips.txt, where it says {reason:?}").into())
        }
        Some(reason) => {
            tally.skipped(script.path(), reason);
            Ok(Completion::ignored_with(reason))
        }
    }
}
