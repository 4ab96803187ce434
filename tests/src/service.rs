//! The service, answering on a port of this machine, on a store of its own.

use std::time::Duration;

use actix_web::{HttpServer, dev::ServerHandle, web};
use anyhow::{Context, ensure};
use api::{
    app,
    command::export,
    limits::LimitStatistics,
    state::{State, StateSettings},
};
use domain::Version;
use sea_orm::DatabaseTransaction;
use storage::Store;
use tokio::time::timeout;

use crate::{
    account, document,
    fixture::{self, Fixture},
    http::{Answer, Client, Problem, Request},
};

/// How long closing the connections may take, as in the binary.
const CLOSING: Duration = Duration::from_secs(5);

/// A running service. Each answer is held against the OpenAPI document.
pub struct Service {
    client: Client,
    url: String,
    administrator: String,
    store: Store,
    state: web::Data<State>,
    server: ServerHandle,
}

impl Service {
    /// Starts the service on the fixture's database, as another process would.
    pub async fn start(fixture: &impl Fixture) -> anyhow::Result<Self> {
        let started = Self::start_at(fixture.url(), StateSettings::default()).await?;
        Ok(Self { administrator: fixture.administrator().to_owned(), ..started })
    }

    /// Starts one more on the same database: another instance, with a store and caches of its own.
    pub async fn another(&self, settings: StateSettings) -> anyhow::Result<Self> {
        Self::start_at(&self.url, settings).await
    }

    /// Starts the service on a database.
    pub async fn start_at(url: &str, settings: StateSettings) -> anyhow::Result<Self> {
        let store = fixture::store_at(url).await?;
        let state = web::Data::new(State::new(store.clone(), settings));
        let shared = state.clone();
        let server = HttpServer::new(move || app(shared.clone()))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))?;
        let address = *server.addrs().first().context("bound")?;
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let (url, administrator) = (url.to_owned(), url.to_owned());
        Ok(Self { client: Client::of(address), url, administrator, store, state, server: handle })
    }

    /// A client of it, for requests that may never be answered.
    #[must_use]
    pub const fn client(&self) -> Client {
        self.client
    }

    /// The store that the service works on.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What the service did not take so far.
    #[must_use]
    pub fn limits(&self) -> LimitStatistics {
        self.state.limits().statistics()
    }

    /// Takes the database away from the service, which goes on: every connection is closed, that of the change feed
    /// included, and none is opened.
    pub async fn lose_database(&self) {
        self.state.close().await;
    }

    /// Runs plain SQL in the service's database, as a person at a prompt would.
    pub async fn by_hand(&self, sql: &str) -> anyhow::Result<()> {
        fixture::by_hand(&self.administrator, sql).await
    }

    /// Begins a transaction beside the service that keeps every writer waiting until it ends.
    pub async fn block_writers(&self) -> anyhow::Result<DatabaseTransaction> {
        fixture::block_writers(&self.administrator).await
    }

    /// Stops the service.
    pub async fn stop(self) {
        // The connections belong to the threads of the server, and are closed while these are there. One that was
        // broken by a test is not waited for.
        drop(timeout(CLOSING, self.state.close()).await);
        self.server.stop(true).await;
    }

    /// Asks, whatever the answer.
    pub async fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        let answer = self.client.send(request).await?;
        document::check(request, &answer)?;
        let id = answer.required("x-request-id")?;
        ensure!(!id.is_empty(), "{answer:?}");
        Ok(answer)
    }

    /// Asks for something that is answered with this status.
    pub async fn ask(&self, status: u16, request: Request) -> anyhow::Result<Answer> {
        let answer = self.send(&request).await?;
        ensure!(
            answer.status == status,
            "{request}: expected {status}, got {} {:?}",
            answer.status,
            answer.text()
        );
        Ok(answer)
    }

    /// Asks for something that is refused with this status and code, and checks that nothing changed.
    pub async fn refuse(
        &self,
        status: u16,
        code: &str,
        request: Request,
    ) -> anyhow::Result<Problem> {
        let before = self.contents().await?;
        let answer = self.send(&request).await?;
        let problem =
            Problem::read(answer, status, code, &request).with_context(|| request.to_string())?;
        let after = self.contents().await?;
        ensure!(before == after, "{request} changed\n{before}\ninto\n{after}");
        Ok(problem)
    }

    /// All there is, as text: what an export writes, the versions, and the account.
    pub async fn contents(&self) -> anyhow::Result<String> {
        let exported = exported(&self.store).await?;
        let changes = self.store.changes().since(Version::ZERO, 10_000).await?;
        let statistics = account::sums_by_kind(&self.store).await?;
        Ok(format!("{}\n{changes:?}\n{statistics:?}", String::from_utf8(exported)?))
    }
}

/// What an export of this store writes.
pub async fn exported(store: &Store) -> anyhow::Result<Vec<u8>> {
    let (artists, style_profiles, research_sources) =
        (store.artists(), store.style_profiles(), store.research_sources());
    let content = export::Content {
        artists: artists.as_ref(),
        style_profiles: style_profiles.as_ref(),
        research_sources: research_sources.as_ref(),
    };
    let mut bytes = Vec::new();
    export::run(content, &mut bytes, |_| ()).await?;
    Ok(bytes)
}
