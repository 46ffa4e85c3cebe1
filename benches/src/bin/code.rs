//! Times compilation and the compiled code; see `benches/README.md`.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use precast_bench::code::{self, child::Task};

/// Time compilation and the compiled code, engine beside engine, each in processes of its own
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bench: Bench,
}

#[derive(Args)]
struct Bench {
    #[command(flatten)]
    options: code::Options,
}

#[derive(Subcommand)]
enum Command {
    /// One measurement, for a parent of this same program
    #[command(hide = true)]
    Child(Task),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Child(task)) => task.execute(),
        None => {
            println!("{}", code::run(&arguments.bench.options)?);
            Ok(())
        }
    }
}
