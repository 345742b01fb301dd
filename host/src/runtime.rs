//! Runs plugins: each attempt in a fresh instance of a component, with limits, and with no way out but the
//! capabilities of the contract.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::action::http::{Connections, Request, Response};
use crate::action::livechat::LiveChat;
use crate::action::memory::{self as own_store, Memory};
use crate::action::{self, BoxFuture, Code, Effect, Error, Failure, Origin};
use crate::delivery::Outcome;
use crate::delivery::crash::Crash;
use crate::delivery::progress::Progress;
use crate::event::Event;
use crate::grant::{self, Decisions, Policy};
use crate::journal::{Answered, Change, Header, Ledger, Lost, Own, Run, Step};
use crate::limits::Limits;
use crate::manifest::{Manifest, SettingsSchema};

mod attempt;
mod background;
mod bindings;
mod capability;
mod clock;
pub mod compile;
mod cpu;
mod crash;
mod engine;
mod fuse;
mod guest;
pub mod inspect;
mod log;
mod memory;
mod nice;
mod steps;

use background::Background;
use cpu::Meter;
use guest::Guest;
use inspect::Inspected;

/// What a run may reach of the outside.
#[derive(Clone)]
pub struct Services {
    /// The LiveChat API.
    pub livechat: Arc<dyn LiveChat>,
    /// The named connections.
    pub connections: Arc<dyn Connections>,
    /// The plugin's own key-value store.
    pub memory: Arc<dyn Memory>,
    /// Where runs write what they do.
    pub ledger: Arc<dyn Ledger>,
    /// Takes what is said about commands.
    pub progress: Progress,
    /// Once the host stops no new action is begun.
    pub stopping: CancellationToken,
}

impl Services {
    /// Services that refuse everything: for looking at plugins without running them.
    pub fn none() -> Services {
        let nothing = Arc::new(Nothing);
        Services {
            livechat: nothing.clone(),
            connections: nothing.clone(),
            memory: nothing.clone(),
            ledger: nothing,
            progress: Progress::default(),
            stopping: CancellationToken::new(),
        }
    }
}

struct Nothing;

fn nothing() -> Error {
    Error::new(Code::Unavailable, "nothing can be reached from here")
}

fn refused<T: Send + 'static, E: From<Error> + Send + 'static>() -> BoxFuture<'static, Result<T, E>> {
    Box::pin(std::future::ready(Err(nothing().into())))
}

impl LiveChat for Nothing {
    fn call<'a>(
        &'a self,
        _: &'a Origin,
        _: action::livechat::Call,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        refused()
    }

    fn look_up<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a action::livechat::Call,
        _: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        refused()
    }
}

impl Connections for Nothing {
    fn effect(&self, _: &Request) -> Result<Effect, Error> {
        Err(nothing())
    }

    fn send<'a>(&'a self, _: &'a Origin, _: Request) -> BoxFuture<'a, Result<Response, Failure>> {
        refused()
    }
}

impl Memory for Nothing {
    fn read<'a>(&'a self, _: &'a str, _: own_store::Call) -> BoxFuture<'a, Result<own_store::Answer, Error>> {
        refused()
    }

    fn read_here(&self, _: &str, _: own_store::Call) -> Result<own_store::Answer, Error> {
        Err(nothing())
    }
}

impl Ledger for Nothing {
    fn record<'a>(&'a self, _: Run, _: Vec<Change>) -> BoxFuture<'a, Result<(), Lost>> {
        Box::pin(std::future::ready(Err(Lost::Failed(nothing().message))))
    }

    fn own<'a>(
        &'a self,
        _: Run,
        _: (&'a str, own_store::Room),
        _: Vec<Change>,
        _: Step,
        _: Own,
    ) -> BoxFuture<'a, Result<Answered, Lost>> {
        Box::pin(std::future::ready(Err(Lost::Failed(nothing().message))))
    }
}

/// What the operator's config says of a plugin, as a run needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// What it may do.
    pub policy: Policy,
    /// The operator's values, JSON text.
    pub settings: String,
    /// What an attempt may use.
    pub limits: Limits,
}

impl Terms {
    /// The same for what no customer waits for.
    fn for_jobs(&self) -> Terms {
        Terms { limits: self.limits.for_jobs(), ..self.clone() }
    }
}

/// One attempt at one event.
pub struct Attempt {
    /// The version that runs.
    pub version: Arc<Version>,
    /// The operator's terms for the plugin.
    pub terms: Arc<Terms>,
    /// The event.
    pub event: Arc<Event>,
    /// The run of the delivery.
    pub run: Run,
    /// What earlier runs of the delivery recorded; nothing in it is in doubt.
    pub journal: Option<(Header, Vec<Step>)>,
    /// How long ago the event was received.
    pub waited: Duration,
    /// Whether it runs behind events that came after it.
    pub late: bool,
    /// 1 for the first attempt.
    pub number: u32,
}

/// What became of an attempt.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Its last log lines.
    pub log: String,
    /// Where it was and what it had used, if it did not return.
    pub crash: Option<Crash>,
    /// CPU time of the guest.
    pub cpu: Duration,
    /// Wall time, host calls included.
    pub wall: Duration,
    /// Host calls made.
    pub host_calls: u32,
    /// The longest wait that a service asked for, see [`History::asked_wait`](crate::delivery::History).
    pub asked_wait: Duration,
    /// Whether the delivery has a journal now.
    pub recorded: bool,
    /// Whether it was told what earlier runs had found, so that another one has to look anew.
    pub is_stale: bool,
    /// The decisions about its calls that were not a plain yes.
    pub decisions: Decisions,
}

/// A component that was compiled, asked for its manifest, and can run.
pub struct Version {
    /// The content hash of the component, `sha256:` and 64 hex digits.
    pub hash: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The manifest's settings schema.
    pub settings_schema: SettingsSchema,
    /// What it asks the operator for.
    pub asks: Arc<BTreeSet<String>>,
    name: Arc<str>,
    instance: bindings::ComponentPre<Guest>,
    /// Whether its last attempt belonged into the background: the next one begins there.
    is_heavy: AtomicBool,
}

/// Why compiled code became no version.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file of compiled code is of no use: compiling again may help.
    #[error("{0}")]
    Compiled(String),
    /// The component is no plugin for this host.
    #[error("{0}")]
    Plugin(String),
}

impl From<String> for LoadError {
    fn from(reason: String) -> LoadError {
        LoadError::Plugin(reason)
    }
}

/// The engine with everything that plugins may import.
#[derive(Clone)]
pub struct Runtime {
    engine: wasmtime::Engine,
    linker: Arc<Linker<Guest>>,
    stack_bytes: usize,
    services: Arc<Services>,
    fuse: fuse::Shared,
    background: Arc<Background>,
    _ticker: Arc<engine::Ticker>,
}

impl Runtime {
    /// Makes the process's one engine; attempts on it have a stack of so many bytes.
    ///
    /// # Errors
    /// What the engine says, or the system if it has no more threads.
    pub fn new(services: Services, stack_bytes: usize) -> wasmtime::Result<Runtime> {
        let engine = engine::for_running(stack_bytes)?;
        let linker = Arc::new(bindings::linker(&engine)?);
        let ticker = Arc::new(engine::Ticker::start(&engine));
        Ok(Runtime {
            engine,
            linker,
            stack_bytes,
            services: Arc::new(services),
            fuse: fuse::Shared::new(),
            background: Arc::new(Background::start()?),
            _ticker: ticker,
        })
    }

    /// What runs may reach.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// How much is remembered of what plugins did lately, by what it is: actions for the fuse (50,000 at most), and grants
    /// with a rate (10,000).
    pub fn kept(&self) -> Vec<(&'static str, usize)> {
        self.fuse.kept()
    }

    /// Makes a version of compiled code: links it and asks it for its manifest.
    ///
    /// # Errors
    /// [`LoadError::Compiled`] if the compiled form is of no use; else a sentence for the plugin's author.
    pub async fn load(
        &self,
        compiled: compile::Compiled,
        inspected: &Inspected,
    ) -> Result<Version, LoadError> {
        let hash = compiled.hash.clone();
        let (instance, manifest) = self.described(compiled).await?;
        let mut asks = inspected.asks.clone();
        if inspected.sends_http {
            asks.extend(manifest.connections.iter().map(|connection| grant::http(connection)));
        }
        if inspected.calls_livechat {
            asks.extend(manifest.livechat_calls.iter().map(|call| grant::livechat(call)));
        }
        Ok(Version {
            hash,
            settings_schema: SettingsSchema::new(&manifest.settings_schema)?,
            name: Arc::from(manifest.name.as_str()),
            asks: Arc::new(asks),
            manifest,
            instance,
            is_heavy: AtomicBool::new(false),
        })
    }

    /// Loads compiled code and asks it what it is, in the background: events go first.
    async fn described(
        &self,
        compiled: compile::Compiled,
    ) -> Result<(bindings::ComponentPre<Guest>, Manifest), LoadError> {
        let (runtime, meter) = (self.clone(), Arc::new(Meter::default()));
        let used = meter.clone();
        let work = async move {
            let component = runtime.deserialize(&compiled).map_err(LoadError::Compiled)?;
            let instance = runtime.link(&component)?;
            let manifest = attempt::describe(runtime, instance.clone(), meter).await?;
            Ok((instance, manifest))
        };
        self.background.run(work, &used).await
    }

    /// Runs one attempt to its end, whatever the guest does.
    pub async fn run(&self, attempt: Attempt) -> Report {
        let began = Instant::now();
        let (version, meter) = (attempt.version.clone(), Arc::new(Meter::default()));
        let work = Box::pin(attempt::run(self.clone(), attempt, meter.clone(), Handle::current()));
        let report = if version.is_heavy.load(Ordering::Relaxed) {
            self.background.run(work, &meter).await
        } else {
            self.background.do_from_foreground(work, &meter).await
        };
        version.is_heavy.store(meter.is_long(), Ordering::Relaxed);
        Report { wall: began.elapsed(), ..report }
    }

    fn link(&self, component: &Component) -> Result<bindings::ComponentPre<Guest>, String> {
        let instance: InstancePre<Guest> = self
            .linker
            .instantiate_pre(component)
            .map_err(|error| format!("it wants something that this host does not offer: {error:#}"))?;
        bindings::ComponentPre::new(instance)
            .map_err(|error| format!("it does not export what a chatplug plugin exports: {error:#}"))
    }

    #[expect(
        unsafe_code,
        reason = "compiled code can only be loaded by trusting it; `Compiled` says why this may be"
    )]
    fn deserialize(&self, compiled: &compile::Compiled) -> Result<Component, String> {
        // SAFETY: a `Compiled` holds code that this program's own compiler made, in memory, where no other process
        // can change it any more.
        unsafe { Component::deserialize(&self.engine, &compiled.code) }
            .map_err(|error| format!("its compiled form could not be loaded: {error:#}"))
    }
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version")
            .field("name", &self.manifest.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
