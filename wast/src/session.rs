//! Runs the directives of one script, one after the other.

use std::collections::HashMap;
use std::fmt;
use std::panic;
use std::thread::{self, Scope, ScopedJoinHandle};

use precast::Module;
use wast::token::{Id, Span};
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, WastThread};

use crate::message;
use crate::outcome::{Failure, Location, Outcome};
use crate::pattern::Pattern;
use crate::value::{self, Value};
use crate::world::{Exports, Problem, ProblemKind, World};

/// A script's name and text.
#[derive(Clone, Copy)]
pub(crate) struct Script<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

/// The state between two directives. A thread of the script, `(thread $t ...)`, has a session
/// of its own.
///
/// Modules and instances are kept by name; the newest is kept without one too.
pub(crate) struct Session<'scope, 'env> {
    script: Script<'env>,
    scope: &'scope Scope<'scope, 'env>,
    world: World,
    definitions: HashMap<Option<&'env str>, Module>,
    instances: HashMap<Option<&'env str>, Exports>,
    threads: HashMap<&'env str, ScopedJoinHandle<'scope, Outcome>>,
    outcome: Outcome,
}

/// What a directive expected, and what it got instead.
struct Unmet {
    expected: String,
    got: String,
}

type Check<T = ()> = Result<T, Unmet>;

impl<'a> Script<'a> {
    pub(crate) fn location(&self, span: Span) -> Location {
        let (line, column) = span.linecol_in(self.text);
        Location { file: self.name.to_owned(), line: line + 1, column: column + 1 }
    }
}

impl<'scope, 'env> Session<'scope, 'env> {
    pub(crate) fn new(
        script: Script<'env>,
        scope: &'scope Scope<'scope, 'env>,
        world: World,
    ) -> Session<'scope, 'env> {
        Session {
            script,
            scope,
            world,
            definitions: HashMap::new(),
            instances: HashMap::new(),
            threads: HashMap::new(),
            outcome: Outcome::default(),
        }
    }

    /// Runs the directives, and waits for the threads that they left behind.
    pub(crate) fn run(mut self, directives: Vec<WastDirective<'env>>) -> Outcome {
        for directive in directives {
            let span = directive.span();
            let summary = summary(&directive);
            let is_assertion = summary.starts_with("assert_");
            let check = self.directive(directive);
            self.outcome.assertions += usize::from(is_assertion);
            match check {
                Ok(()) => self.outcome.passed += usize::from(is_assertion),
                Err(Unmet { expected, got }) => self.outcome.failures.push(Failure {
                    location: self.script.location(span),
                    directive: summary,
                    expected,
                    got,
                }),
            }
        }
        for (_, thread) in std::mem::take(&mut self.threads) {
            self.outcome.merge(join(thread));
        }
        self.outcome
    }

    fn directive(&mut self, directive: WastDirective<'env>) -> Check {
        match directive {
            WastDirective::Module(module) => {
                let name = module.name().map(|id| id.name());
                self.instances.remove(&None);
                let module = self.define(module)?;
                self.instantiate(name, &module)
            }
            WastDirective::ModuleDefinition(module) => self.define(module).map(drop),
            WastDirective::ModuleInstance { instance, module, .. } => {
                self.instances.remove(&None);
                let module = self.definition(module)?.clone();
                self.instantiate(instance.map(|id| id.name()), &module)
            }
            WastDirective::Register { name, module, .. } => {
                let exports = self.instance(module)?.clone();
                self.world.register(name, &exports).map_err(|problem| unexpected(&problem))
            }
            WastDirective::Invoke(invoke) => {
                self.invoke(&invoke)?.map(drop).map_err(|problem| unexpected(&problem))
            }
            WastDirective::AssertReturn { exec, results, .. } => self.assert_return(exec, &results),
            WastDirective::AssertTrap { exec, message, .. } => {
                self.assert_stops(exec, ProblemKind::Trap, message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                self.assert_stops(WastExecute::Invoke(call), ProblemKind::Exhaustion, message)
            }
            WastDirective::AssertException { exec, .. } => {
                self.assert_stops(exec, ProblemKind::Exception, "")
            }
            WastDirective::AssertUnlinkable { module, message, .. } => {
                self.assert_stops(WastExecute::Wat(module), ProblemKind::Link, message)
            }
            WastDirective::AssertMalformed { module, message, .. }
            | WastDirective::AssertMalformedCustom { module, message, .. }
            | WastDirective::AssertInvalid { module, message, .. }
            | WastDirective::AssertInvalidCustom { module, message, .. } => {
                self.assert_refused(module, message)
            }
            WastDirective::AssertSuspension { message, .. } => Err(Unmet {
                expected: format!("suspension, {message:?}"),
                got: "the engine has no stack switching".to_owned(),
            }),
            WastDirective::Thread(thread) => self.thread(thread),
            WastDirective::Wait { thread, .. } => {
                let name = thread.name();
                let thread = self.threads.remove(name).ok_or_else(|| missing("thread", name))?;
                self.outcome.merge(join(thread));
                Ok(())
            }
        }
    }

    fn assert_return(&mut self, exec: WastExecute<'env>, expected: &[WastRet<'_>]) -> Check {
        let patterns: Vec<Pattern<'_>> =
            expected.iter().map(Pattern::new).collect::<Result<_, _>>().map_err(unsupported)?;
        let results = self.execute(exec)?;
        let matched = results.as_ref().is_ok_and(|results| {
            results.len() == patterns.len()
                && patterns.iter().zip(results).all(|(pattern, value)| pattern.matches(value))
        });
        match matched {
            true => Ok(()),
            false => Err(Unmet { expected: value::list(&patterns), got: got(&results) }),
        }
    }

    /// That something stops for a reason of this kind, with this message.
    fn assert_stops(&mut self, exec: WastExecute<'env>, kind: ProblemKind, message: &str) -> Check {
        let results = self.execute(exec)?;
        match &results {
            Err(problem) if problem.kind == kind && message::matches(message, &problem.message) => {
                Ok(())
            }
            _ => Err(Unmet { expected: format!("{kind}: {message}"), got: got(&results) }),
        }
    }

    /// That a module cannot be read or is not valid.
    fn assert_refused(&mut self, mut module: QuoteWat<'env>, message: &str) -> Check {
        // Text is refused by its parser, whose words are not the suite's.
        let Ok(wasm) = module.encode() else { return Ok(()) };
        let got = match self.world.compile(&wasm) {
            Err(problem)
                if problem.kind == ProblemKind::Refused
                    && message::refusal_matches(message, &problem.message) =>
            {
                return Ok(());
            }
            Err(problem) => problem.to_string(),
            Ok(_) => "a valid module".to_owned(),
        };
        Err(Unmet { expected: format!("{}: {message}", ProblemKind::Refused), got })
    }

    /// Invokes, reads or instantiates. What the engine says is for the caller to judge; the
    /// outer error is that the script could not even get there.
    fn execute(&mut self, exec: WastExecute<'env>) -> Check<Result<Vec<Value>, Problem>> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Get { module, global, .. } => {
                let exports = self.instance(module)?.clone();
                Ok(self.world.get(&exports, global).map(|value| vec![value]))
            }
            WastExecute::Wat(module) => {
                let module = self.compile(QuoteWat::Wat(module))?;
                Ok(self.world.instantiate(&module).map(|_| Vec::new()))
            }
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'env>) -> Check<Result<Vec<Value>, Problem>> {
        let exports = self.instance(invoke.module)?.clone();
        let arguments: Vec<Value> = invoke
            .args
            .iter()
            .map(Value::from_arg)
            .collect::<Result<_, _>>()
            .map_err(unsupported)?;
        Ok(self.world.invoke(&exports, invoke.name, &arguments))
    }

    fn thread(&mut self, thread: WastThread<'env>) -> Check {
        let world = self.world.sibling().map_err(|problem| unexpected(&problem))?;
        let mut instances = HashMap::new();
        if let Some(id) = thread.shared_module {
            let shared = self.world.share(self.instance(Some(id))?);
            instances.insert(Some(id.name()), shared);
        }
        let mut session = Session::new(self.script, self.scope, world);
        session.instances = instances;
        let spawned = thread::Builder::new()
            .name(thread.name.name().to_owned())
            .spawn_scoped(self.scope, move || session.run(thread.directives));
        let handle = spawned.map_err(|error| unexpected(&error))?;
        self.threads.insert(thread.name.name(), handle);
        Ok(())
    }

    fn compile(&mut self, mut module: QuoteWat<'env>) -> Check<Module> {
        let expected = || "a module that can be compiled".to_owned();
        let wasm = module
            .encode()
            .map_err(|error| Unmet { expected: expected(), got: error.message() })?;
        self.world
            .compile(&wasm)
            .map_err(|problem| Unmet { expected: expected(), got: problem.to_string() })
    }

    fn define(&mut self, module: QuoteWat<'env>) -> Check<Module> {
        let name = module.name().map(|id| id.name());
        self.definitions.remove(&None);
        let module = self.compile(module)?;
        self.definitions.insert(None, module.clone());
        self.definitions.insert(name, module.clone());
        Ok(module)
    }

    fn instantiate(&mut self, name: Option<&'env str>, module: &Module) -> Check {
        let exports = self.world.instantiate(module).map_err(|problem| unexpected(&problem))?;
        self.instances.insert(None, exports.clone());
        self.instances.insert(name, exports);
        Ok(())
    }

    fn definition(&self, id: Option<Id<'env>>) -> Check<&Module> {
        let name = id.map(|id| id.name());
        self.definitions.get(&name).ok_or_else(|| missing("module", name.unwrap_or_default()))
    }

    fn instance(&self, id: Option<Id<'env>>) -> Check<&Exports> {
        let name = id.map(|id| id.name());
        self.instances.get(&name).ok_or_else(|| missing("instance", name.unwrap_or_default()))
    }
}

/// The outcome of a thread; a panic in it goes on in this one.
fn join(thread: ScopedJoinHandle<'_, Outcome>) -> Outcome {
    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}

fn got(results: &Result<Vec<Value>, Problem>) -> String {
    match results {
        Ok(results) => value::list(results),
        Err(problem) => problem.to_string(),
    }
}

fn unexpected(problem: &impl fmt::Display) -> Unmet {
    Unmet { expected: "success".to_owned(), got: problem.to_string() }
}

fn unsupported(what: String) -> Unmet {
    Unmet { expected: "what this runner can express".to_owned(), got: what }
}

fn missing(what: &str, name: &str) -> Unmet {
    let expected = match name {
        "" => format!("a current {what}"),
        name => format!("the {what} ${name}"),
    };
    Unmet { expected, got: "none".to_owned() }
}

/// A directive in one line: its keyword and what it runs.
fn summary(directive: &WastDirective<'_>) -> String {
    match directive {
        WastDirective::Module(module) => format!("module{}", id(module.name())),
        WastDirective::ModuleDefinition(module) => {
            format!("module definition{}", id(module.name()))
        }
        WastDirective::ModuleInstance { instance, module, .. } => {
            format!("module instance{}{}", id(*instance), id(*module))
        }
        WastDirective::AssertMalformed { .. } => "assert_malformed".to_owned(),
        WastDirective::AssertMalformedCustom { .. } => "assert_malformed_custom".to_owned(),
        WastDirective::AssertInvalid { .. } => "assert_invalid".to_owned(),
        WastDirective::AssertInvalidCustom { .. } => "assert_invalid_custom".to_owned(),
        WastDirective::Register { name, module, .. } => format!("register {name:?}{}", id(*module)),
        WastDirective::Invoke(invoke) => call(invoke),
        WastDirective::AssertTrap { exec, .. } => format!("assert_trap {}", execution(exec)),
        WastDirective::AssertReturn { exec, .. } => format!("assert_return {}", execution(exec)),
        WastDirective::AssertExhaustion { call: invoke, .. } => {
            format!("assert_exhaustion ({})", call(invoke))
        }
        WastDirective::AssertUnlinkable { .. } => "assert_unlinkable (module)".to_owned(),
        WastDirective::AssertException { exec, .. } => {
            format!("assert_exception {}", execution(exec))
        }
        WastDirective::AssertSuspension { exec, .. } => {
            format!("assert_suspension {}", execution(exec))
        }
        WastDirective::Thread(thread) => format!("thread{}", id(Some(thread.name))),
        WastDirective::Wait { thread, .. } => format!("wait{}", id(Some(*thread))),
    }
}

fn execution(exec: &WastExecute<'_>) -> String {
    match exec {
        WastExecute::Invoke(invoke) => format!("({})", call(invoke)),
        WastExecute::Wat(_) => "(module)".to_owned(),
        WastExecute::Get { module, global, .. } => format!("(get{} {global:?})", id(*module)),
    }
}

fn call(invoke: &WastInvoke<'_>) -> String {
    let argument = |arg: &WastArg<'_>| match Value::from_arg(arg) {
        Ok(value) => format!(" {value}"),
        Err(_) => " ?".to_owned(),
    };
    let arguments: String = invoke.args.iter().map(argument).collect();
    format!("invoke{} {:?}{arguments}", id(invoke.module), invoke.name)
}

fn id(id: Option<Id<'_>>) -> String {
    id.map_or(String::new(), |id| format!(" ${}", id.name()))
}
