//! Runs scripts.

use std::thread;

use precast::{Config, Engine};
use wast::Wast;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::Span;

use crate::outcome::{Failure, Outcome};
use crate::session::{Script, Session};
use crate::setup::Setup;
use crate::spectest::Print;
use crate::world::World;

/// Runs scripts, each in a store of its own. Several threads can use it at the same time.
#[derive(Clone, Debug)]
pub struct Runner {
    engine: Engine,
    setup: Setup,
    print: Print,
}

impl Runner {
    /// A runner whose engine has the settings of `config`, and those that `setup` is about.
    ///
    /// # Errors
    ///
    /// When the engine cannot be made.
    pub fn new(mut config: Config, setup: Setup) -> precast::Result<Runner> {
        setup.configure(&mut config);
        Ok(Runner { engine: Engine::new(&config)?, setup, print: Print::default() })
    }

    /// Chooses what becomes of what scripts print; by default it is discarded.
    #[must_use]
    pub fn print(mut self, print: Print) -> Runner {
        self.print = print;
        self
    }

    /// Runs the script `text`, which reports call `name`.
    ///
    /// Every directive runs, also when those before it failed. A script that cannot be read
    /// gives one failure and no assertions.
    ///
    /// # Panics
    ///
    /// When the engine panics.
    pub fn run(&self, name: &str, text: &str) -> Outcome {
        let script = Script { name, text };
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = match ParseBuffer::new_with_lexer(lexer) {
            Ok(buffer) => buffer,
            Err(error) => return unreadable(script, &error),
        };
        let directives = match parser::parse::<Wast<'_>>(&buffer) {
            Ok(script) => script.directives,
            Err(error) => return unreadable(script, &error),
        };
        match World::new(&self.engine, self.setup, self.print) {
            Ok(world) => thread::scope(|scope| Session::new(script, scope, world).run(directives)),
            Err(problem) => {
                failed(script, Span::from_offset(0), "a store with `spectest`", problem.to_string())
            }
        }
    }
}

fn unreadable(script: Script<'_>, error: &wast::Error) -> Outcome {
    failed(script, error.span(), "a script that can be parsed", error.message())
}

fn failed(script: Script<'_>, span: Span, expected: &str, got: String) -> Outcome {
    let failure = Failure {
        location: script.location(span),
        directive: "script".to_owned(),
        expected: expected.to_owned(),
        got,
    };
    Outcome { failures: vec![failure], ..Outcome::default() }
}
