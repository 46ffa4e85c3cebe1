//! What the command prints besides results.

use std::io::Write;

use precast::{Error, Result};

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
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)?;
    Ok(())
}

/// A number of bytes as people read it, such as `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
