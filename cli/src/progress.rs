//! Shows how far a long compilation is.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a compilation may take before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs `compile` with a callback that it tells how many functions of how many are done, and
/// shows a bar on a terminal once that has taken a second.
pub(crate) fn compile<T>(compile: impl FnOnce(&(dyn Fn(usize, usize) + Sync)) -> T) -> T {
    let started = Instant::now();
    let bar = OnceLock::new();
    let result = compile(&|done, total| {
        if bar.get().is_some() || started.elapsed() > PATIENCE {
            bar.get_or_init(|| new_bar(total as u64)).set_position(done as u64);
        }
    });
    if let Some(bar) = bar.get() {
        bar.finish_and_clear();
    }
    result
}

fn new_bar(functions: u64) -> ProgressBar {
    // Standard error, and nothing when that is no terminal.
    let bar = ProgressBar::with_draw_target(Some(functions), ProgressDrawTarget::stderr());
    let template = "compiling {bar:40} {pos}/{len} functions, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
