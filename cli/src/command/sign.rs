//! `precast sign`: signs artifacts.

use std::path::PathBuf;

use clap::Args;
use precast::artifact::container::{self, Container, Part};
use precast::artifact::image::Image;
use precast::{Error, Result};

use crate::context::Context;
use crate::keys::secret_key;
use crate::publish::{Existing, Mode, publish_bytes};

/// Sign artifacts, so that others can run them and know whose they are.
///
/// All of an artifact is compared with its digest first. A signature covers the code, what it was made
/// from and for, and the settings; several keys can sign the same file.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast keygen release.key                        make a key; give release.key.pub to others
  precast sign --key release.key app.precast        sign
  precast run --trust-key release.key.pub app.precast")]
pub(crate) struct Sign {
    /// A secret key: a file that `precast keygen` or openssl made
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Where to write the signed artifact [default: it replaces the unsigned one]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Artifacts
    #[arg(required = true)]
    artifacts: Vec<PathBuf>,
}

impl Sign {
    pub(crate) fn execute(self) -> Result<()> {
        if self.output.is_some() && self.artifacts.len() != 1 {
            return Err(Error::msg("--output names one file, and there are several artifacts"));
        }
        let key = secret_key(&self.key)?;
        for artifact in &self.artifacts {
            let name = artifact.display();
            let bytes = std::fs::read(artifact).context(|| format!("cannot read `{name}`"))?;
            let mut bytes = verified(bytes).context(|| format!("cannot sign `{name}`"))?;
            Container::sign(&mut bytes, &key).context(|| format!("cannot sign `{name}`"))?;
            let output = self.output.as_ref().unwrap_or(artifact);
            publish_bytes(output, Mode::Data, Existing::Replace, &bytes)?;
        }
        Ok(())
    }
}

/// The container to sign, with all that is in it compared with its digests.
fn verified(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !Container::looks_like_container(&bytes) {
        Image::verify(&bytes)?;
        return Ok(container::write(&[Part { cpu: "", artifact: &bytes }])?);
    }
    for image in Container::parse(&bytes, bytes.len() as u64)?.images() {
        // The container was checked to hold what its index says.
        let artifact = &bytes[image.offset as usize..][..image.len as usize];
        Image::verify(artifact)?;
        if Image::parse(artifact)?.digest != image.digest {
            return Err(precast::LoadError::NotTheIndexed.into());
        }
    }
    Ok(bytes)
}
