//! `precast completions`: lets a shell complete commands.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use precast::Result;

use crate::Arguments;

/// Print what a shell needs to complete commands and options.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast completions bash > ~/.local/share/bash-completion/completions/precast
  precast completions fish > ~/.config/fish/completions/precast.fish
  precast completions zsh > ~/.zfunc/_precast")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn execute(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "precast", &mut script);
        std::io::Write::write_all(&mut std::io::stdout(), &script)?;
        Ok(())
    }
}
