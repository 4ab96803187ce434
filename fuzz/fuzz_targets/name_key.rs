//! Names fold into keys that fold into themselves, whichever way they come back.

#![no_main]

use domain::{ArtistKey, ArtistName, SearchText};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = SearchText::try_from(text);
    if let Ok(key) = ArtistKey::parse(text) {
        valid(&key);
    }
    let Ok(name) = ArtistName::try_from(text) else { return };

    valid(name.key());
    // What is shown is stored, and read again as a name.
    let again = ArtistName::try_from(name.as_str()).expect("what is shown is a name");
    assert_eq!(again.as_str(), name.as_str());
    assert_eq!(again.key(), name.key());
});

fn valid(key: &ArtistKey) {
    let text = key.as_str();
    assert!(!text.is_empty() && text.len() <= ArtistKey::MAX_BYTES);
    assert!(!text.chars().any(char::is_control));
    assert_eq!(text.trim(), text);
    let again = ArtistKey::parse(text).expect("a key is a key");
    assert_eq!(again.as_str(), text, "folding twice is folding once");
    let _ = key.search_form();
}
