//! Whether every write that was acknowledged is there.

use std::collections::HashMap;

use anyhow::Context;
use domain::ArtistKey;
use storage::Store;
use xtask::load::Noted;

use crate::{
    asked::Write,
    measured::{say, verdict},
};

/// Looks for what was written in the database itself.
pub(crate) async fn check(
    store: &Store,
    artists: &[ArtistKey],
    noted: &[Noted],
) -> anyhow::Result<()> {
    let (mut acknowledged, mut lost) = (0_u32, 0_u32);
    let mut saves: HashMap<usize, Vec<(&Noted, String)>> = HashMap::new();
    let generations = store.generations();
    for write in noted {
        let is_done = matches!(write.status, Some(200..=299));
        acknowledged += u32::from(is_done);
        match Write::of(write.number, artists.len()) {
            Write::Generation(id) if is_done => {
                lost += u32::from(generations.find(id).await?.is_none());
            }
            Write::Generation(_) => {}
            Write::Profile(artist, text) => saves.entry(artist).or_default().push((write, text)),
        }
    }
    let profiles = store.style_profiles();
    for (artist, saves) in saves {
        // The last one that was begun after none of the others was done; several may have run side by side.
        let done = saves.iter().filter(|(save, _)| matches!(save.status, Some(200..=299)));
        let Some(last) = done.map(|(save, _)| save.sent).max() else { continue };
        let artist = artists.get(artist).context("an artist")?;
        let profile = profiles.find(artist).await?.context("a profile")?;
        let text = profile.text_description.as_str();
        let is_there = saves.iter().any(|(save, saved)| {
            // What has no answer, or was sent away because it took too long, may have been done at any time.
            let may_be_last = save.status != Some(200) || last <= save.ended;
            may_be_last && text == saved
        });
        lost += u32::from(!is_there);
    }
    say(&format!("{acknowledged} writes were acknowledged"));
    verdict("of them lost", f64::from(lost), 0.0, "");
    Ok(())
}
