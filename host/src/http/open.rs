//! The connections of a listener: no more are open than there is room for, and where it gets tight, the one that has waited
//! longest for its client makes way. Anybody can open connections and leave them so.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::http::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a client may take to send a request's headers, and may idle between requests.
const HEADERS_TIME: Duration = Duration::from_secs(10);
/// How long open requests may take when the host stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How soon a connection is looked for again that may make way, while all are at work.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The connections of a listener.
pub(super) struct Open {
    most: usize,
    room: Arc<Semaphore>,
    waiting: Arc<Waiting>,
    tasks: JoinSet<()>,
    graceful: GracefulShutdown,
    /// How many had to make way.
    made_way: u64,
}

impl Open {
    /// As many as `most`, but of the file descriptors that the system lets the host have one in `share` at most: the store, the
    /// plugins and the requests to services need some, too.
    pub(super) fn new(most: usize, share: u64) -> Open {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = most.min(usize::try_from(files / share).unwrap_or(usize::MAX)).max(1);
        Open {
            most,
            room: Arc::new(Semaphore::new(most)),
            waiting: Arc::default(),
            tasks: JoinSet::new(),
            graceful: GracefulShutdown::new(),
            made_way: 0,
        }
    }

    /// Serves a connection as soon as there is room for it.
    pub(super) async fn serve(&mut self, stream: TcpStream, peer: SocketAddr, app: Router) {
        // What has ended is not kept until the stop.
        while self.tasks.try_join_next().is_some() {}
        let permit = self.room().await;
        // Answers are small: waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let line = Line::new(self.waiting.clone());
        let closed = line.closed.clone();
        let app = TowerToHyperService::new(app);
        let service = service_fn(move |request| answer(line.clone(), app.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_TIME)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(stream), service);
        let connection = self.graceful.watch(connection);
        self.tasks.spawn(async move {
            let ended = tokio::select! {
                ended = connection => ended,
                () = closed.cancelled() => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection broke");
            }
            drop(permit);
        });
    }

    /// Waits for a place, and has the connection make way for it that has waited longest for its client.
    async fn room(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.room.clone().try_acquire_owned() {
            return Some(permit);
        }
        let mut has_made_way = false;
        loop {
            if !has_made_way && self.waiting.close_first() {
                has_made_way = true;
                self.made_way += 1;
                // Anybody can have this happen: the log must not grow with it.
                if self.made_way.is_power_of_two() {
                    let (most, count) = (self.most, self.made_way);
                    tracing::warn!(
                        most,
                        count,
                        "all {most} connections are taken: one that waited for its client was closed, {count} since the start"
                    );
                }
            }
            if let Ok(permit) = tokio::time::timeout(LOOK_AGAIN, self.room.clone().acquire_owned()).await {
                return permit.ok();
            }
        }
    }

    /// Lets the open requests end, and cuts off what does not.
    pub(super) async fn end(mut self) {
        if tokio::time::timeout(DRAIN, self.graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time and are cut off");
            // They hold the store, which the next host waits for.
            self.tasks.shutdown().await;
        }
    }
}

/// Hands a request to the handlers. The connection is at work from when the request is there as a whole until it is answered.
async fn answer(
    line: Arc<Line>,
    app: TowerToHyperService<Router>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    match request.body().is_end_stream() {
        true => line.is_at_work(),
        // It has sent something: it has not waited since its last answer.
        false => line.waits(),
    }
    let at_its_end = line.clone();
    let no_trailers = async move {
        at_its_end.is_at_work();
        None
    };
    let answer = app.call(request.map(|body| Body::new(body.with_trailers(no_trailers)))).await;
    line.waits();
    answer
}

/// The connections that wait for their clients, the one first that does so longest.
#[derive(Default)]
struct Waiting(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    next: u64,
    lines: BTreeMap<u64, CancellationToken>,
}

impl Waiting {
    /// Closes the first one; false if none waits.
    fn close_first(&self) -> bool {
        let first = self.lock().lines.pop_first();
        first.inspect(|(_, closed)| closed.cancel()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection: it waits for its client until a request is there as a whole, and again when that is answered.
struct Line {
    waiting: Arc<Waiting>,
    /// Its place there.
    place: Mutex<u64>,
    closed: CancellationToken,
}

impl Line {
    fn new(waiting: Arc<Waiting>) -> Arc<Line> {
        let line = Line { waiting, place: Mutex::default(), closed: CancellationToken::new() };
        line.waits();
        Arc::new(line)
    }

    fn waits(&self) {
        let mut queue = self.waiting.lock();
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        queue.lines.remove(&place);
        queue.next += 1;
        *place = queue.next;
        queue.lines.insert(*place, self.closed.clone());
    }

    fn is_at_work(&self) {
        let mut queue = self.waiting.lock();
        queue.lines.remove(&self.place.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.is_at_work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_has_waited_longest_makes_way_and_none_that_is_at_work() {
        let waiting = Arc::new(Waiting::default());
        let [first, second, third, ended] = std::array::from_fn(|_| Line::new(waiting.clone()));
        let closed = || [&first, &second, &third].map(|line| line.closed.is_cancelled());
        drop(ended);
        second.is_at_work();
        first.is_at_work();
        first.waits();
        assert!(waiting.close_first());
        assert_eq!(closed(), [false, false, true], "the first has been answered since");
        assert!(waiting.close_first());
        assert_eq!(closed(), [true, false, true]);
        assert!(!waiting.close_first(), "the second is at work, and one has ended");
        second.waits();
        assert!(waiting.close_first());
        assert_eq!(closed(), [true; 3]);
        drop([first, second, third]);
        assert!(waiting.lock().lines.is_empty());
    }
}
