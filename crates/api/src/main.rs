//! The `groovebase` command: reads the configuration, does what it says, and tells how it ended.

use std::process::ExitCode;

use groovebase_api::{
    causes::with_causes,
    command::Command,
    config::{CommandLine, ConfigurationError, Surroundings},
    telemetry,
};
use mimalloc::MiMalloc;

/// Answers are made of many small pieces, often freed by another thread than the one that made them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The exit code for a configuration that cannot be used.
const MISCONFIGURED: u8 = 2;

#[actix_web::main]
async fn main() -> ExitCode {
    let CommandLine { settings, command } = match Surroundings::of_process().command_line() {
        Ok(command_line) => command_line,
        // Also how help and the version are asked for.
        Err(ConfigurationError::CommandLine(error)) => error.exit(),
        Err(error) => return fail(&error.into(), MISCONFIGURED),
    };
    let command = command.unwrap_or(Command::Serve);
    let telemetry = match telemetry::start(&command.telemetry(&settings)) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            let error = anyhow::Error::from(error).context("cannot start the log");
            return fail(&error, MISCONFIGURED);
        }
    };
    let ended = command.run(&settings).await;
    telemetry.finish();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.exit_code();
            fail(&error.into(), code)
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the log may be filtered, and this is for whoever typed the command"
)]
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("groovebase: {}", with_causes(error.as_ref()));
    ExitCode::from(code)
}
