//! The list of settings for people to read.

use std::fmt::Write;

use super::sources::{command, settings};

/// Every setting as a Markdown page, made from what the command line is made from.
#[must_use]
pub fn configuration_reference() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         <!-- Generated from crates/api/src/config.rs. -->\n\n\
         A setting comes from a flag, else the environment, else `.env` in the working folder, else the file that \
         `GROOVEBASE_CONFIG` names, else its default.\n\
         An unknown name or an impossible value stops the start.\n\
         Every flag has a variable: `--listen` is `GROOVEBASE_LISTEN`, and `listen` in the file.\n",
    );
    let command = command();
    let mut heading = "";
    for arg in settings(&command) {
        let part = arg.get_help_heading().unwrap_or("General");
        if part != heading {
            heading = part;
            // Writing to a string cannot fail.
            let _ = write!(
                page,
                "\n## {part}\n\n| setting | default | meaning |\n| --- | --- | --- |\n"
            );
        }
        let name = arg.get_id().as_str().to_uppercase();
        let default = match arg.get_default_values() {
            [] => "none".to_owned(),
            [value, ..] => format!("`{}`", value.display()),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let meaning = help.split(" [env: ").next().unwrap_or_default().replace('|', "\\|");
        let _ = writeln!(page, "| `GROOVEBASE_{name}` | {default} | {meaning} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_setting_with_its_default() {
        let page = configuration_reference();

        for line in [
            "## Database",
            "| `GROOVEBASE_LISTEN` | `127.0.0.1:8080` | Address and port to listen on |",
            "| `GROOVEBASE_HTTP_WORKERS` | none | How many threads answer requests; as many as there are cores if not given |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert_eq!(page.matches("| `GROOVEBASE_").count(), 57);
    }
}
