//! Keys on the command line.

use std::path::{Path, PathBuf};

use clap::Args;
use precast::{Error, PublicKey, Result, SecretKey};

use crate::context::Context;

/// The option that says whose artifacts are trusted.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArgs {
    /// Trust what this public key has signed: a file that `precast keygen` or openssl made, or 64
    /// hexadecimal digits (repeatable)
    #[arg(long = "trust-key", value_name = "KEY", value_parser = public_key)]
    pub(crate) trusted: Vec<PublicKey>,
}

/// Reads a secret key from its file.
pub(crate) fn secret_key(path: &Path) -> Result<SecretKey> {
    let text =
        std::fs::read_to_string(path).context(|| format!("cannot read `{}`", path.display()))?;
    text.parse().context(|| format!("cannot sign with `{}`", path.display()))
}

/// The file that the public half of a key goes to.
pub(crate) fn public_path(secret: &Path) -> PathBuf {
    let mut name = secret.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn public_key(argument: &str) -> Result<PublicKey, String> {
    if let Ok(key) = argument.parse() {
        return Ok(key);
    }
    let text = std::fs::read_to_string(argument)
        .map_err(|error| format!("neither a key nor a file that can be read: {error}"))?;
    text.parse().map_err(|error: precast::KeyError| error.to_string())
}

/// 32 bytes that nobody can guess.
pub(crate) fn random() -> Result<[u8; 32]> {
    use std::io::Read as _;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Error::from(error).context("cannot read /dev/urandom"))?;
    Ok(bytes)
}
