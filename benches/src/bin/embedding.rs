//! Times loading, instances and calls inside one process; see `benches/README.md`.

use anyhow::Result;
use clap::Parser;
use precast_bench::embedding;

/// Time loading, instances and calls inside one process, engine beside engine, in interleaved rounds
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: embedding::Options,
}

fn main() -> Result<()> {
    println!("{}", embedding::run(&Arguments::parse().options)?);
    Ok(())
}
