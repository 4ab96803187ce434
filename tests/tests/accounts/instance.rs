//! An instance of the service: a process that dies and is started again.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use groovebase_tests::{
    http::{Answer, Client, Request},
    program::{Program, Serving},
};
use serde_json::Value;

/// A process that dies and is started again, on another port each time.
pub(crate) struct Instance {
    program: Program,
    /// `None` while it is down.
    serving: Mutex<Option<Serving>>,
    complaints: Mutex<Complaints>,
}

/// What the service warned of, and how often.
pub(crate) type Complaints = BTreeMap<String, u64>;

impl Instance {
    /// Starts it on a database.
    pub(crate) fn start(database: &str) -> anyhow::Result<Self> {
        let program = Program::new()?;
        // Read by the service from its working folder.
        let settings = [
            ("DATABASE_URL", database),
            ("DATABASE_POOL_KEPT", "0"),
            ("DATABASE_POOL_MOST", "12"),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "2000"),
            ("DATABASE_STATEMENT_TIMEOUT_MS", "10000"),
            // Without a line for each request, of which there are many.
            ("LOG", "warn,groovebase_api::command=info"),
        ];
        let lines = settings.map(|(name, value)| format!("GROOVEBASE_{name}='{value}'"));
        fs::write(program.file(".env"), lines.join("\n"))?;
        let serving = Mutex::new(Some(program.serve()?));
        Ok(Self { program, serving, complaints: Mutex::default() })
    }

    /// Ends the process at once, in the middle of whatever it does (SIGKILL), if it runs.
    pub(crate) fn kill(&self) -> anyhow::Result<()> {
        let serving = self.serving().take();
        if let Some(serving) = serving {
            self.hear(&serving.killed()?);
        }
        Ok(())
    }

    /// Starts it again, after killing it if it runs.
    pub(crate) fn restart(&self) -> anyhow::Result<()> {
        self.kill()?;
        let serving = self.program.serve()?;
        *self.serving() = Some(serving);
        Ok(())
    }

    /// Stops it in good order.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        let serving = self.serving().take().context("it is down")?;
        serving.terminate()?;
        self.hear(&serving.ended()?);
        Ok(())
    }

    /// Asks. After an error nobody knows what it did.
    pub(crate) async fn ask(&self, request: &Request) -> anyhow::Result<Answer> {
        self.client().context("it is down")?.send(request).await
    }

    /// A client of it, unless it is down.
    pub(crate) fn client(&self) -> Option<Client> {
        Some(self.serving().as_ref()?.client())
    }

    /// What it warned of so far, the process that runs aside.
    pub(crate) fn complaints(&self) -> Complaints {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serving(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, log: &[String]) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        for line in log {
            // The last line of a process that was killed may be half a line.
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
            let level = text("level");
            let complaint = match level {
                "WARN" => format!("WARN {}", text("message")),
                // There are few of them, and each should be known.
                "ERROR" => format!("ERROR {} {}", text("message"), text("error")),
                _ => continue,
            };
            *complaints.entry(complaint).or_default() += 1;
        }
    }
}

/// Whether a complaint is about a mistake in the program, whatever happens around it.
pub(crate) fn is_a_panic(complaint: &str) -> bool {
    complaint.contains("panicked")
}
