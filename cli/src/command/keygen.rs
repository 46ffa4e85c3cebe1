//! `precast keygen`: makes a key.

use std::path::PathBuf;

use clap::Args;
use precast::{Result, SecretKey};

use crate::keys::{public_path, random};
use crate::output::print_line;
use crate::publish::{Existing, Mode, publish_bytes};

/// Make a key that signs artifacts.
///
/// The secret half goes to FILE, which only you can read, and the public half to FILE.pub: that is
/// what `--trust-key` takes. Both are PEM, as openssl writes and reads it. The public half is printed.
#[derive(Args, Debug)]
pub(crate) struct Keygen {
    /// Where to write the secret key; must not exist
    file: PathBuf,
}

impl Keygen {
    pub(crate) fn execute(self) -> Result<()> {
        let key = SecretKey::from_bytes(&random()?);
        publish_bytes(&self.file, Mode::Secret, Existing::Keep, key.to_pem().as_bytes())?;
        let public = key.public();
        let path = public_path(&self.file);
        publish_bytes(&path, Mode::Data, Existing::Keep, public.to_pem().as_bytes())?;
        print_line!("{public}");
        Ok(())
    }
}
