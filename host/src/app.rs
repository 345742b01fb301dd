//! The wiring: the only place that knows every part.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::{self, link::ADDRESS_FILE};
use crate::config::Config;
use crate::connections::Connections;
use crate::delivery::progress::Progress;
use crate::destinations::Destinations;
use crate::dispatcher::{self, Dispatcher};
use crate::heartbeat::Heartbeat;
use crate::http::{self, AppState, Health, Operator, Shown, Webhooks};
use crate::keeper::Keeper;
use crate::measures::Measures;
use crate::notifier::Notifier;
use crate::plugins::Plugins;
use crate::refusals::Refusals;
use crate::registry::{Marks, Registry};
use crate::runtime::compile::Compiler;
use crate::runtime::{Runtime, Services};
use crate::scheduler::{self, Scheduler};
use crate::store::{Clock, Committed, Opened, Reader, Store};
use crate::watcher::{Loader, Watcher};

pub mod check;
pub mod demo;
mod metered;
mod meters;
pub mod plugins;
mod reload;
mod services;
pub mod webhooks;

use metered::Metered;
use reload::Reload;
use services::Edges;

/// The name of the file in the data folder that says where the running host listens.
const LISTENING: &str = "listening";

/// How long the parts may take to end: more than each gives itself.
const STOP_TIME: Duration = Duration::from_secs(35);

/// Runs the host until it is told to stop; in safe mode with all plugins off.
///
/// # Errors
/// What keeps it from starting, or a store that failed.
pub async fn serve(config_path: &Path, safe_mode: bool) -> anyhow::Result<()> {
    let config = Config::load(config_path)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    if safe_mode {
        tracing::warn!("safe mode: all plugins are off; webhooks are stored, and wait");
    }
    let measures = Arc::new(Measures::new());
    let Opened { store, committed, lock } = Store::open_measured(&config.data_dir, meters::store(&measures))?;
    let listener = http::listen(config.server.listen).await.with_context(|| {
        format!("cannot listen on {} (`listen` of [server]): is another program there?", config.server.listen)
    })?;
    let address = listener.local_addr()?;
    let listening = config.data_dir.join(LISTENING);
    let operators = http::listen(config.operator.listen).await.with_context(|| {
        format!(
            "cannot listen on {} (`listen` of [operator]): is another program there?",
            config.operator.listen
        )
    })?;
    let operator_address = operators.local_addr()?;
    let operator_listening = config.data_dir.join(ADDRESS_FILE);
    let stop = CancellationToken::new();
    let tasks =
        start((config_path, safe_mode), config, &store, committed, [listener, operators], &measures, &stop)?;
    tasks.spawn(measures.run(stop.clone()));
    tasks.close();
    // First the one that nobody waits for.
    for (path, address) in [(&operator_listening, operator_address), (&listening, address)] {
        write_address(path, address).with_context(|| format!("cannot write {}", path.display()))?;
    }
    tracing::info!(address = %operator_address, "listening for operators: metrics at http://{operator_address}/metrics");
    tracing::info!(%address, "listening: webhooks at http://{address}/webhooks/livechat, health at http://{address}/health");

    let failure = tokio::select! {
        () = stopped() => None,
        error = store.failed() => Some(error),
    };
    tracing::info!("stopping: no new work is begun, what runs may end");
    stop.cancel();
    if tokio::time::timeout(STOP_TIME, tasks.wait()).await.is_err() {
        tracing::warn!("something did not end within {} s and is cut off", STOP_TIME.as_secs());
    }
    // They only say where a host listens while one does.
    for path in [&listening, &operator_listening] {
        let _ = std::fs::remove_file(path);
    }
    drop(store);
    lock.release();
    failure.map_or(Ok(()), |error| Err(anyhow::Error::new(error).context("the store failed; start again")))
}

/// Puts the parts together and starts each as a task, which ends some time after `stop`.
fn start(
    (config_path, safe_mode): (&Path, bool),
    config: Config,
    store: &Store,
    committed: Committed,
    listeners: [TcpListener; 2],
    measures: &Arc<Measures>,
    stop: &CancellationToken,
) -> anyhow::Result<TaskTracker> {
    let edges = Edges::new(&config, store)?;
    let Edges { account, connections, destinations } = edges.clone();
    let loader = loader(&config, reach(&destinations, measures, store, stop))?;
    let progress = loader.runtime.services().progress.clone();
    let registry = Arc::new(Registry::default());
    let plugins = Plugins::new(config_path.to_owned(), Some(store.clone()), registry.attention().clone());
    let webhooks = Arc::new(webhooks(&config, store, measures));
    let loops = Loops::default();
    let health = Arc::new(Health::new(store.clone(), loops.all()));
    let (changed, reloads) = watch::channel(());
    let config = Arc::new(ArcSwap::from_pointee(config));
    let workings = Workings { store, config: &config, registry: &registry, loops: &loops, measures };
    let (dispatcher, scheduler) = (workings.dispatcher(loader.runtime.clone()), workings.scheduler());
    let watcher = Watcher {
        loader,
        registry: registry.clone(),
        store: store.clone(),
        config: config.clone(),
        reloads,
        heartbeat: loops.watcher.clone(),
        safe_mode,
    };
    let notifier = Notifier {
        store: store.clone(),
        config: config.clone(),
        registry: registry.clone(),
        connections,
        destinations: services::states(&destinations),
        refusals: webhooks.refusals.clone(),
        heartbeats: loops.told_of(),
        heartbeat: loops.notifier,
    };
    let reload = Reload {
        path: config_path.to_owned(),
        taken: (**config.load()).clone(),
        config: config.clone(),
        registry,
        webhooks: webhooks.clone(),
        edges,
        changed,
    };
    let tasks = TaskTracker::new();
    tasks.spawn(dispatcher.run(committed, stop.clone()));
    tasks.spawn(watcher.run(stop.clone()));
    tasks.spawn(scheduler.run(stop.clone()));
    let keeper = Keeper { store: store.clone(), config: config.clone(), heartbeat: loops.keeper };
    tasks.spawn(keeper.run(stop.clone()));
    tasks.spawn(reload.run(stop.clone()));
    tasks.spawn(account.end_visits(destinations.clone(), stop.clone()));
    tasks.spawn(notifier.run(stop.clone()));
    tasks.spawn(destinations.clone().run(stop.clone()));
    let measures = measures.clone();
    let shown = Shown { store: store.clone(), config, measures, destinations, plugins, progress };
    open_doors(&tasks, listeners, (AppState { webhooks, health }, shown), stop);
    Ok(tasks)
}

/// What several parts work with.
struct Workings<'a> {
    store: &'a Store,
    config: &'a Arc<ArcSwap<Config>>,
    registry: &'a Arc<Registry>,
    loops: &'a Loops,
    measures: &'a Arc<Measures>,
}

impl Workings<'_> {
    fn dispatcher(&self, runtime: Runtime) -> Dispatcher {
        Dispatcher {
            store: self.store.clone(),
            config: self.config.clone(),
            registry: self.registry.clone(),
            runtime,
            heartbeat: self.loops.dispatcher.clone(),
            meters: dispatcher::Meters::new(self.measures.clone()),
        }
    }

    fn scheduler(&self) -> Scheduler {
        Scheduler {
            store: self.store.clone(),
            config: self.config.clone(),
            registry: self.registry.clone(),
            wall: Clock::wall(),
            heartbeat: self.loops.scheduler.clone(),
            meters: scheduler::Meters::new(self.measures.clone()),
        }
    }
}

/// The heartbeats of the parts that go round and round.
#[derive(Default)]
struct Loops {
    dispatcher: Arc<Heartbeat>,
    watcher: Arc<Heartbeat>,
    scheduler: Arc<Heartbeat>,
    keeper: Arc<Heartbeat>,
    notifier: Arc<Heartbeat>,
}

impl Loops {
    /// All of them.
    fn all(&self) -> Vec<(&'static str, Arc<Heartbeat>)> {
        [self.told_of(), vec![("notifier", self.notifier.clone())]].concat()
    }

    /// Those of which the notifier tells if they are stuck.
    fn told_of(&self) -> Vec<(&'static str, Arc<Heartbeat>)> {
        let named = [
            ("dispatcher", &self.dispatcher),
            ("watcher", &self.watcher),
            ("scheduler", &self.scheduler),
            ("keeper", &self.keeper),
        ];
        named.map(|(name, heartbeat)| (name, heartbeat.clone())).to_vec()
    }
}

/// Serves webhooks on the first listener, operators on the second.
fn open_doors(
    tasks: &TaskTracker,
    [listener, operators]: [TcpListener; 2],
    (state, shown): (AppState, Shown),
    stop: &CancellationToken,
) {
    let operator = Arc::new(Operator::new(shown, state.clone()));
    tasks.spawn(http::serve(listener, state, stop.clone()));
    tasks.spawn(http::serve_operator(operators, operator, stop.clone()));
}

fn webhooks(config: &Config, store: &Store, measures: &Measures) -> Webhooks {
    let (reception, meters) = (services::reception(config), meters::webhooks(measures));
    Webhooks::new(store.clone(), reception, Arc::new(Refusals::default()), meters)
}

/// What runs reach of the outside.
fn reach(
    destinations: &Arc<Destinations>,
    measures: &Arc<Measures>,
    store: &Store,
    stop: &CancellationToken,
) -> Services {
    let metered = Arc::new(Metered::new(destinations.clone(), destinations.clone(), measures.clone()));
    let store = Arc::new(store.clone());
    Services {
        livechat: metered.clone(),
        connections: metered,
        memory: store.clone(),
        ledger: store,
        progress: Progress::default(),
        stopping: stop.clone(),
    }
}

/// What a store knows of versions; nothing where there is none.
fn known(reader: Option<&Reader>) -> anyhow::Result<Marks> {
    Ok(Marks::new(reader.map(Reader::versions).transpose()?.unwrap_or_default()))
}

/// Tests a connection and prints what came of it; false if it does not work.
///
/// # Errors
/// An unknown name, or those of the output.
pub async fn test_connection(
    config: &Config,
    name: &str,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let connections = Connections::new(services::connections(config))?;
    let trial = connections.test(name).await?;
    cli::connections_test::run(&trial, json, out)?;
    Ok(trial.works)
}

fn loader(config: &Config, services: Services) -> anyhow::Result<Loader> {
    // This very file, even if another version was installed under its path meanwhile.
    let compiler = Compiler::new("/proc/self/exe".into(), &config.data_dir).map_err(anyhow::Error::msg)?;
    let runtime = Runtime::new(services, config.stack_bytes)
        .map_err(|error| anyhow::anyhow!("cannot start the engine: {error:#}"))?;
    Ok(Loader { runtime, compiler })
}

fn write_address(path: &Path, address: std::net::SocketAddr) -> std::io::Result<()> {
    let unfinished = path.with_extension("part");
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{address}")?;
    std::fs::rename(unfinished, path)
}

/// Returns on Ctrl-C and on SIGTERM.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
