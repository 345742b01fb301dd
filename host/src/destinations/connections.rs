//! The connections, each behind its gate.

use super::{Destinations, connection, signal};
use crate::action::http::{Connections, Request, Response};
use crate::action::{BoxFuture, Effect, Error, Failure, Origin};

impl Connections for Destinations {
    fn effect(&self, request: &Request) -> Result<Effect, Error> {
        self.services.connections.effect(request)
    }

    fn send<'a>(&'a self, origin: &'a Origin, request: Request) -> BoxFuture<'a, Result<Response, Failure>> {
        Box::pin(self.pass_on(origin, request))
    }

    fn ready(&self, name: &str) -> Result<(), Failure> {
        self.place(&connection(name)).map_or(Ok(()), |place| place.ready())
    }
}

impl Destinations {
    async fn pass_on(&self, origin: &Origin, request: Request) -> Result<Response, Failure> {
        let connections = &self.services.connections;
        let Some(place) = self.place(&connection(&request.connection)) else {
            // There is none of that name: they say so.
            return connections.send(origin, request).await;
        };
        let call = place.enter(&origin.plugin).await?;
        let asked = signal::Asked::of(&origin.plugin, &request);
        let answer = connections.send(origin, request).await;
        let signal = signal::of_connection(&answer, &asked);
        place.settle(call, &signal, answer)
    }
}
