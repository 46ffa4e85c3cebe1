//! Times whole processes side by side; see `benches/README.md`.

use anyhow::Result;
use clap::Parser;
use precast_bench::startup;

/// Time whole processes side by side, from exec to exit, in interleaved rounds
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: startup::Options,
}

fn main() -> Result<()> {
    println!("{}", startup::run(&Arguments::parse().options)?);
    Ok(())
}
