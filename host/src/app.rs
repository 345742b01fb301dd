//! The wiring: the only place that knows every part.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::capture::{self, Capture};
use crate::cli::{self, ServeArgs, link::ADDRESS_FILE};
use crate::config::Config;
use crate::connections::Connections;
use crate::delivery::doubts::Doubts;
use crate::delivery::progress::Progress;
use crate::destinations::Destinations;
use crate::dispatcher::{self, Dispatcher};
use crate::heartbeat::Heartbeat;
use crate::http::{self, AppState, Health, Operator, Shown, Webhooks};
use crate::keeper::Keeper;
use crate::measures::Measures;
use crate::notifier::{Missed, Notifier, Registrations};
use crate::plugins::Plugins;
use crate::recovery::{self, Recovery};
use crate::refusals::Refusals;
use crate::registry::{Marks, Registry};
use crate::runtime::compile::Compiler;
use crate::runtime::{Runtime, Services};
use crate::scheduler::{self, Scheduler};
use crate::store::{Clock, Committed, Opened, Reader, Store};
use crate::watcher::{Loader, Watcher};

mod beats;
pub mod check;
pub mod demo;
pub mod doctor;
mod loops;
mod metered;
mod meters;
pub mod overview;
pub mod plugins;
mod registered;
mod reload;
mod services;
pub mod webhooks;

use beats::Beats;
use loops::Loops;
use metered::Metered;
use registered::Registered;
use reload::Reload;
use services::{Account, Edges};

/// The name of the file in the data folder that says where the running host listens.
const LISTENING: &str = "listening";

/// How long the parts may take to end: more than each gives itself.
const STOP_TIME: Duration = Duration::from_secs(35);

/// Runs the host until it is told to stop; in safe mode with all plugins off, and with each webhook in a file if that is
/// asked for.
///
/// # Errors
/// What keeps it from starting, a store that failed, or a part that ended by itself.
pub async fn serve(config_path: &Path, args: &ServeArgs) -> anyhow::Result<()> {
    let config = Config::load(config_path)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    if args.safe_mode {
        tracing::warn!("safe mode: all plugins are off; webhooks are stored, and wait");
    }
    let (capture, capturing) = open_capture(args.capture.as_deref())?.unzip();
    let measures = Arc::new(Measures::new());
    meters::begin(&measures);
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
    let asked = (config_path, args.safe_mode, capture);
    let loops = start(asked, config, &store, committed, [listener, operators], &measures, &stop)?;
    loops.spawn("measures", measures.run(stop.clone()));
    if let Some(capturing) = capturing {
        loops.spawn("capture", capturing.run());
    }
    // First the one that nobody waits for.
    for (path, address) in [(&operator_listening, operator_address), (&listening, address)] {
        write_address(path, address).with_context(|| format!("cannot write {}", path.display()))?;
    }
    tracing::info!(address = %operator_address, "listening for operators: metrics at http://{operator_address}/metrics");
    tracing::info!(%address, "listening: webhooks at http://{address}/webhooks/livechat, health at http://{address}/health");

    let failure = tokio::select! {
        // The store first: if it fails, parts end by themselves.
        biased;
        error = store.failed() => Some(anyhow::Error::new(error).context("the store failed; start again")),
        () = stopped() => None,
        part = loops.broken() => Some(anyhow!("the {part} ended by itself: keep the log, and start again")),
    };
    tracing::info!("stopping: no new work is begun, what runs may end");
    stop.cancel();
    if tokio::time::timeout(STOP_TIME, loops.wait()).await.is_err() {
        tracing::warn!("something did not end within {} s and is cut off", STOP_TIME.as_secs());
    }
    // They only say where a host listens while one does.
    for path in [&listening, &operator_listening] {
        let _ = std::fs::remove_file(path);
    }
    drop(store);
    lock.release();
    failure.map_or(Ok(()), Err)
}

/// Puts the parts together and starts each as a task, which ends some time after `stop`.
fn start(
    (config_path, safe_mode, capture): (&Path, bool, Option<Capture>),
    config: Config,
    store: &Store,
    committed: Committed,
    listeners: [TcpListener; 2],
    measures: &Arc<Measures>,
    stop: &CancellationToken,
) -> anyhow::Result<Loops> {
    let edges = Edges::new(&config, store, measures)?;
    let Edges { account, connections, destinations } = edges.clone();
    let loader = loader(&config, reach(&destinations, measures, store, stop))?;
    let (progress, runtime) = (loader.runtime.services().progress.clone(), loader.runtime.clone());
    let registry = Arc::new(Registry::default());
    let plugins =
        Plugins::new(config_path.to_owned(), Some(store.clone()), registry.clone(), Some(loader.clone()));
    let webhooks = Arc::new(webhooks(&config, store, measures, capture));
    let beats = Beats::default();
    let health = Arc::new(Health::new(store.clone(), beats.all()));
    let (config, (changed, reloads)) = (Arc::new(ArcSwap::from_pointee(config)), watch::channel(()));
    let running = [beats.dispatcher.clone(), beats.watcher.clone()];
    let meters = dispatcher::Meters::new(measures.clone());
    let (dispatcher, watcher) =
        plugin_loops((store, &config, &registry), loader, running, reloads, meters, safe_mode);
    let scheduler = scheduler((store, &config, &registry), beats.scheduler.clone(), measures);
    let doubts = dispatcher.doubts.clone();
    let (registrations, missed) = (Arc::new(Registrations::default()), Arc::new(Missed::default()));
    let registered =
        Registered::new(&config, &destinations, &account, &registrations, beats.registrations.clone());
    let notifier = Notifier {
        store: store.clone(),
        config: config.clone(),
        registry: registry.clone(),
        connections,
        destinations: services::states(&destinations),
        doubts: doubts.clone(),
        refusals: webhooks.refusals.clone(),
        registrations,
        missed: missed.clone(),
        heartbeats: beats.others(),
        heartbeat: beats.notifier.clone(),
    };
    let turns = beats.recovery.clone();
    let recovery = recovery((store, &config, &destinations), &webhooks, (missed, turns), measures, stop);
    let reload = Reload {
        path: config_path.to_owned(),
        taken: (**config.load()).clone(),
        config: config.clone(),
        registry,
        store: store.clone(),
        webhooks: webhooks.clone(),
        edges,
        changed,
        heartbeat: beats.reload.clone(),
    };
    let loops = Loops::new(stop.clone());
    loops.spawn("dispatcher", dispatcher.run(committed, stop.clone()));
    loops.spawn("watcher", watcher.run(stop.clone()));
    loops.spawn("scheduler", scheduler.run(stop.clone()));
    loops.spawn("keeper", Keeper::new(store, &config, beats.keeper.clone(), measures).run(stop.clone()));
    loops.spawn("reload", reload.run(stop.clone()));
    loops.spawn("notifier", notifier.run(stop.clone()));
    loops.spawn("registrations", registered.run(stop.clone()));
    loops.spawn("recovery", recovery.clone().run());
    tend(&loops, account, &destinations, &beats, stop);
    let (store, measures, kept) = (store.clone(), measures.clone(), Box::new(move || runtime.kept()));
    let shown = Shown { store, config, measures, destinations, plugins, progress, recovery, doubts, kept };
    open_doors(&loops, listeners, (AppState { webhooks, health }, shown), stop);
    Ok(loops)
}

/// What runs the plugins, and what keeps them in step with the folder.
fn plugin_loops(
    (store, config, registry): (&Store, &Arc<ArcSwap<Config>>, &Arc<Registry>),
    loader: Loader,
    [dispatching, watching]: [Arc<Heartbeat>; 2],
    reloads: watch::Receiver<()>,
    meters: dispatcher::Meters,
    safe_mode: bool,
) -> (Dispatcher, Watcher) {
    let dispatcher = Dispatcher {
        store: store.clone(),
        config: config.clone(),
        registry: registry.clone(),
        runtime: loader.runtime.clone(),
        heartbeat: dispatching,
        meters,
        doubts: Doubts::default(),
        safe_mode,
    };
    let watcher = Watcher {
        loader,
        registry: registry.clone(),
        store: store.clone(),
        config: config.clone(),
        reloads,
        heartbeat: watching,
        safe_mode,
    };
    (dispatcher, watcher)
}

/// What makes events when their time has come.
fn scheduler(
    (store, config, registry): (&Store, &Arc<ArcSwap<Config>>, &Arc<Registry>),
    heartbeat: Arc<Heartbeat>,
    measures: &Arc<Measures>,
) -> Scheduler {
    Scheduler {
        store: store.clone(),
        config: config.clone(),
        registry: registry.clone(),
        wall: Clock::wall(),
        heartbeat,
        meters: scheduler::Meters::new(measures.clone()),
    }
}

/// What looks for webhooks that were missed.
fn recovery(
    (store, config, destinations): (&Store, &Arc<ArcSwap<Config>>, &Arc<Destinations>),
    webhooks: &Arc<Webhooks>,
    (missed, heartbeat): (Arc<Missed>, Arc<Heartbeat>),
    measures: &Arc<Measures>,
    stop: &CancellationToken,
) -> Arc<Recovery> {
    let webhooks = webhooks.clone();
    Arc::new(Recovery {
        store: store.clone(),
        config: config.clone(),
        livechat: destinations.clone(),
        reception: Box::new(move || {
            let reception = webhooks.reception.load();
            (reception.routes.clone(), reception.door.us.clone())
        }),
        missed,
        measures: measures.clone(),
        pause: recovery::PAUSE,
        heartbeat,
        looking: Default::default(),
        stop: stop.clone(),
    })
}

/// What looks after the services: chats that are to be left, destinations that may take calls again.
fn tend(
    loops: &Loops,
    account: Arc<Account>,
    destinations: &Arc<Destinations>,
    beats: &Beats,
    stop: &CancellationToken,
) {
    loops.spawn("visits", account.end_visits(destinations.clone(), beats.visits.clone(), stop.clone()));
    loops.spawn("destinations", destinations.clone().run(beats.destinations.clone(), stop.clone()));
}

/// Serves webhooks on the first listener, operators on the second.
fn open_doors(
    loops: &Loops,
    [listener, operators]: [TcpListener; 2],
    (state, shown): (AppState, Shown),
    stop: &CancellationToken,
) {
    let operator = Arc::new(Operator::new(shown, state.clone()));
    loops.spawn("webhook listener", http::serve(listener, state, stop.clone()));
    loops.spawn("operator listener", http::serve_operator(operators, operator, stop.clone()));
}

/// What captures webhooks, with a warning: it is not for a host that goes on so.
fn open_capture(folder: Option<&Path>) -> anyhow::Result<Option<(Capture, capture::Writer)>> {
    let Some(folder) = folder else { return Ok(None) };
    let opened = capture::open(folder).map_err(anyhow::Error::msg)?;
    tracing::warn!(
        "capturing: each webhook that is accepted is written to {}, without its secret, up to {} files. This is for \
         development: the files hold what customers wrote, retention does not remove them, and `chatplug forget` does not \
         reach them",
        folder.display(),
        capture::FILES_MAX
    );
    Ok(Some(opened))
}

fn webhooks(config: &Config, store: &Store, measures: &Measures, capture: Option<Capture>) -> Webhooks {
    let (reception, meters) = (services::reception(config), meters::webhooks(measures));
    Webhooks::new(store.clone(), reception, Arc::new(Refusals::default()), meters, capture)
}

/// What runs reach of the outside.
fn reach(
    destinations: &Arc<Destinations>,
    measures: &Arc<Measures>,
    store: &Store,
    stop: &CancellationToken,
) -> Services {
    let clock = store.clock().clone();
    let metered = Metered::new(destinations.clone(), destinations.clone(), measures.clone(), clock);
    let metered = Arc::new(metered);
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
