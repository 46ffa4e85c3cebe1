//! What the command prints besides results.

use std::fmt;
use std::io::{self, BufRead as _, Write};
use std::time::{Duration, SystemTime};

use precast::{Error, Result};

/// For whom results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Prints an error with its causes and its wasm backtrace on stderr, as `error: ...`.
pub(crate) fn print_error(error: &Error) {
    // Nothing is left to report to when stderr itself fails.
    let _ = writeln!(std::io::stderr(), "error: {error:?}");
}

/// Prints what is no reason to stop on stderr, as `warning: ...`.
pub(crate) fn print_warning(warning: &impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "warning: {warning}");
}

/// Prints a JSON value on stdout, indented.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<()> {
    print_text(&format!("{value:#}\n"))
}

/// Prints a text on stdout. Who reads only a part of it has what they wanted.
pub(crate) fn print_text(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints a line on stdout; arguments as of `format!`. When nobody reads it, the process is done.
macro_rules! print_line {
    ($($arguments:tt)*) => {
        $crate::output::write_line(format_args!($($arguments)*))
    };
}
pub(crate) use print_line;

/// What [`print_line`] does.
pub(crate) fn write_line(line: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        print_error(&error.into());
        std::process::exit(1);
    }
}

/// Asks a question on stderr; the answer is no unless it is yes.
pub(crate) fn ask(question: &str) -> Result<bool> {
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Rows as lines, with their columns under each other.
pub(crate) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut lines = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// A number of bytes as people read it, such as `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// A length of time as people read it, such as `3m 20s`: its two largest units.
pub(crate) fn duration(duration: Duration) -> String {
    let text = humantime::format_duration(duration).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// How long ago something was, by its largest unit.
pub(crate) fn age(time: SystemTime) -> String {
    let age = Duration::from_secs(time.elapsed().unwrap_or_default().as_secs());
    match humantime::format_duration(age).to_string().split(' ').next() {
        Some(unit) if !age.is_zero() => format!("{unit} ago"),
        _ => "just now".to_owned(),
    }
}

/// A point in time as programs read it.
pub(crate) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
