//! The file of a new change.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use time::OffsetDateTime;

use crate::{terminal, workspace};

const TEMPLATE: &str = "\
//! Says what this change is for.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let _ = manager;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let _ = manager;
        Ok(())
    }
}
";

/// Makes the file and registers it after the changes that are there.
pub(super) fn migration(name: &str) -> anyhow::Result<()> {
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|character| matches!(character, 'a'..='z' | '0'..='9' | '_'));
    if !is_name {
        bail!("a change is named in snake case, such as add_tempo_index; '{name}' is not");
    }

    let source = workspace::root().join("migration/src");
    let module = format!("m{}_{:06}_{name}", today(), next_number(&source)?);
    let library = source.join("lib.rs");
    let list = source.join("migrator.rs");
    let registered = after_the_last(&read(&library)?, "mod m2", &format!("mod {module};"))
        .context("no change is declared in migration/src/lib.rs")?;
    let listed = after_the_last(
        &read(&list)?,
        "            Box::new(",
        &format!("            Box::new(crate::{module}::Migration),"),
    )
    .context("no change is listed in migration/src/migrator.rs")?;

    let file = source.join(&module).with_extension("rs");
    fs::write(&file, TEMPLATE).with_context(|| format!("cannot write {}", file.display()))?;
    fs::write(&library, registered).context("cannot register the change")?;
    fs::write(&list, listed).context("cannot list the change")?;
    terminal::say(&format!("migration/src/{module}.rs"));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the name of a new file says when it was begun")]
fn today() -> String {
    let date = OffsetDateTime::now_utc().date();
    format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
}

/// Numbers go on over days, so that names sort in the order of application.
fn next_number(source: &Path) -> anyhow::Result<u32> {
    let mut last = 0;
    for entry in fs::read_dir(source).context("cannot read migration/src")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.split('_').nth(1)?.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last + 1)
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn after_the_last(text: &str, beginning: &str, line: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.starts_with(beginning))?;
    lines.insert(last + 1, line);
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_after_the_last_of_its_kind() {
        let text = "mod a;\nmod m2_one;\nmod m2_two;\n\nuse b;\n";

        assert_eq!(
            after_the_last(text, "mod m2", "mod m2_three;").as_deref(),
            Some("mod a;\nmod m2_one;\nmod m2_two;\nmod m2_three;\n\nuse b;\n")
        );
        assert_eq!(after_the_last(text, "mod z", "mod z;"), None);
    }
}
