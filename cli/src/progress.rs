//! Shows how far a long compilation is, and for whom it waits.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use precast::CodeBuilder;

use crate::interrupt::Deferred;

/// How long a compilation may take before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Hands what is to be compiled to `work` so that it shows on a terminal how far it is, once that
/// has taken a second, and why it waits; and so that it leaves nothing behind when it is interrupted.
pub(crate) fn show<'a, T>(builder: CodeBuilder<'a>, work: impl FnOnce(CodeBuilder<'_>) -> T) -> T {
    let (started, deferred) = (Instant::now(), Deferred::begin());
    let (waiting, compiling) = (OnceLock::new(), OnceLock::new());
    let functions = |done, total| {
        if compiling.get().is_some() || started.elapsed() > PATIENCE {
            clear(&waiting);
            let bar = compiling.get_or_init(|| new_bar(total as u64));
            bar.set_position(done as u64);
        }
    };
    let on_wait = |holder: &str| {
        let spinner: &ProgressBar = waiting.get_or_init(new_spinner);
        spinner.set_message(format!("waiting: {holder}"));
    };
    let builder = builder.progress(&functions).on_wait(&on_wait);
    let result = work(builder.cancel_on(deferred.interrupted()));
    clear(&waiting);
    clear(&compiling);
    result
}

/// A bar on the terminal that counts to `total`; nothing when standard error is no terminal.
pub(crate) fn bar(total: u64, template: &str) -> ProgressBar {
    styled(Some(total), template)
}

fn styled(total: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn new_bar(functions: u64) -> ProgressBar {
    bar(functions, "compiling {bar:40} {pos}/{len} functions, {eta} left")
}

fn new_spinner() -> ProgressBar {
    let spinner = styled(None, "{spinner} {wide_msg}");
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn clear(bar: &OnceLock<ProgressBar>) {
    if let Some(bar) = bar.get() {
        bar.finish_and_clear();
    }
}
